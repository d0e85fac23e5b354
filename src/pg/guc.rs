//! Settings (GUCs): how one is defined, and how a new value is checked before PostgreSQL takes it.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_void};
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pgrx::guc::{GucCheckError, GucContext, GucFlags, GucRegistry, GucSetting};
use pgrx::pg_sys;
use pgrx::pg_sys::submodules::thread_check::check_active_thread;

/// A setting of the extension as PostgreSQL knows it.
pub struct Setting {
    pub name: &'static CStr,
    /// A sentence; `pg_settings.short_desc`.
    pub summary: &'static CStr,
    /// What else there is to know; `pg_settings.extra_desc`.
    pub details: &'static CStr,
    pub set_by: SetBy,
    pub value: Value,
}

/// Who may set it, and where.
#[derive(Clone, Copy)]
pub enum SetBy {
    Anybody,
    Superuser,
    /// As [`SetBy::Superuser`], who alone can see it too.
    SuperuserInPrivate,
    ConfigurationFile,
}

pub enum Value {
    Switch {
        variable: &'static GucSetting<bool>,
        default: bool,
    },
    Number {
        variable: &'static GucSetting<i32>,
        default: i32,
        range: RangeInclusive<i32>,
        unit: Unit,
    },
    Text {
        variable: &'static (dyn TextVariable + Sync),
        default: &'static CStr,
    },
}

#[derive(Clone, Copy)]
pub enum Unit {
    None,
    Milliseconds,
    Seconds,
    Minutes,
}

/// What a text setting may be, and what it means.
///
/// The rule is asked in every process, the postmaster included, so it calls nothing of PostgreSQL.
pub trait Rule: 'static {
    type Value: Clone + Default;

    /// What a refusal says where a value may hold a secret: PostgreSQL's own message shows the value.
    const REFUSED: Option<&'static str> = None;

    /// Returns what the text means.
    ///
    /// # Errors
    /// Says why it means nothing.
    fn parse(text: &str) -> Result<Self::Value, Refusal>;

    /// Looks at what the value names outside, such as a file. It is not asked where a value that was checked before is
    /// taken over: at the start of the server or of a session, and in a parallel worker.
    ///
    /// # Errors
    /// Says why it cannot be used.
    fn look(_value: &Self::Value) -> Result<(), Refusal> {
        Ok(())
    }
}

/// Why a value is refused; the message before it says which value of which setting.
#[derive(Debug)]
pub struct Refusal {
    pub detail: String,
    /// Shows a right value.
    pub hint: &'static str,
}

/// A text setting whose value is parsed once.
pub struct TextSetting<R: Rule> {
    variable: GucSetting<Option<CString>>,
    parsed: RefCell<Option<(CString, R::Value)>>,
    rule: PhantomData<fn() -> R>,
}

// SAFETY: `get` refuses every thread but PostgreSQL's own before it touches a field; nothing else touches them but PostgreSQL.
unsafe impl<R: Rule> Sync for TextSetting<R> {}

impl<R: Rule> TextSetting<R> {
    pub const fn new() -> Self {
        Self {
            variable: GucSetting::<Option<CString>>::new(None),
            parsed: RefCell::new(None),
            rule: PhantomData,
        }
    }

    /// Returns what the setting means. What the rule refuses is never set, and would mean the default of the type.
    pub fn get(&self) -> R::Value {
        check_active_thread();
        // SAFETY: PostgreSQL keeps the pointer null or at a string that stays until the setting changes, which happens on this thread.
        let text = unsafe { text_at(*self.variable.as_ptr()) };
        let mut parsed = self.parsed.borrow_mut();
        match &*parsed {
            Some((known, value)) if known.as_c_str() == text => value.clone(),
            _ => {
                let value = utf8(text).and_then(R::parse).unwrap_or_default();
                *parsed = Some((text.to_owned(), value.clone()));
                value
            }
        }
    }
}

/// A text setting of any rule.
pub trait TextVariable {
    fn define(&'static self, setting: &Setting, default: &'static CStr);
}

impl<R: Rule> TextVariable for TextSetting<R> {
    fn define(&'static self, setting: &Setting, default: &'static CStr) {
        // SAFETY: nothing reads the variable before it is defined, and PostgreSQL never writes to a default. The hook catches panics.
        unsafe {
            *self.variable.as_ptr() = default.as_ptr().cast_mut();
            GucRegistry::define_string_guc_with_hooks(
                setting.name,
                setting.summary,
                setting.details,
                &self.variable,
                setting.set_by.context(),
                setting.set_by.flags(),
                Some(check::<R>),
                None,
                None,
            );
        }
    }
}

/// Defines the settings, and makes an error of every other name that begins with `prefix`.
pub fn define(prefix: &'static CStr, settings: impl IntoIterator<Item = Setting>) {
    for setting in settings {
        setting.define();
    }
    // SAFETY: a string with its end; the settings of the prefix are defined.
    unsafe { pg_sys::MarkGUCPrefixReserved(prefix.as_ptr()) };
}

impl Setting {
    fn define(&self) {
        let (name, summary, details) = (self.name, self.summary, self.details);
        let (context, flags) = (self.set_by.context(), self.set_by.flags());
        match &self.value {
            Value::Switch { variable, default } => {
                // SAFETY: nothing reads the variable before it is defined.
                unsafe { *variable.as_ptr() = *default };
                GucRegistry::define_bool_guc(name, summary, details, variable, context, flags);
            }
            Value::Number {
                variable,
                default,
                range,
                unit,
            } => {
                // SAFETY: as above.
                unsafe { *variable.as_ptr() = *default };
                let (min, max) = (*range.start(), *range.end());
                let flags = flags | unit.flags();
                GucRegistry::define_int_guc(name, summary, details, variable, min, max, context, flags);
            }
            Value::Text { variable, default } => variable.define(self, default),
        }
    }
}

impl SetBy {
    fn context(self) -> GucContext {
        match self {
            Self::Anybody => GucContext::Userset,
            Self::Superuser | Self::SuperuserInPrivate => GucContext::Suset,
            Self::ConfigurationFile => GucContext::Sighup,
        }
    }

    fn flags(self) -> GucFlags {
        match self {
            Self::SuperuserInPrivate => GucFlags::SUPERUSER_ONLY,
            _ => GucFlags::empty(),
        }
    }
}

impl Unit {
    fn flags(self) -> GucFlags {
        match self {
            Self::None => GucFlags::empty(),
            Self::Milliseconds => GucFlags::UNIT_MS,
            Self::Seconds => GucFlags::UNIT_S,
            Self::Minutes => GucFlags::UNIT_MIN,
        }
    }
}

/// PostgreSQL's question whether a text is a value of the setting. No panic leaves it: in the postmaster that would end the server.
unsafe extern "C-unwind" fn check<R: Rule>(
    new: *mut *mut c_char,
    _extra: *mut *mut c_void,
    source: pg_sys::GucSource::Type,
) -> bool {
    // SAFETY: PostgreSQL hands over a pointer to null or to a string, which is its own for the time of the call.
    let text = unsafe { text_at(*new) };
    let taken_over = is_taken_over(source);
    let checked = catch_unwind(AssertUnwindSafe(|| {
        let value = utf8(text).and_then(R::parse)?;
        if taken_over { Ok(()) } else { R::look(&value) }
    }));
    let refusal = match checked {
        Ok(Ok(())) => return true,
        Ok(Err(refusal)) => refusal,
        Err(_) => Refusal {
            detail: "The value could not be checked.".to_owned(),
            hint: "",
        },
    };
    // SAFETY: this is a check hook.
    unsafe { explain(&refusal, R::REFUSED) };
    false
}

/// Whether the value was given before, and checked then: nobody is there to mend it.
fn is_taken_over(source: pg_sys::GucSource::Type) -> bool {
    use pg_sys::GucSource::{
        PGC_S_CLIENT, PGC_S_DATABASE, PGC_S_DATABASE_USER, PGC_S_DEFAULT, PGC_S_GLOBAL, PGC_S_USER,
    };
    let with_a_session = [
        PGC_S_DEFAULT,
        PGC_S_GLOBAL,
        PGC_S_DATABASE,
        PGC_S_USER,
        PGC_S_DATABASE_USER,
        PGC_S_CLIENT,
    ];
    // SAFETY: plain flags of this process.
    let starting = unsafe {
        pg_sys::process_shared_preload_libraries_in_progress
            || pg_sys::InitializingParallelWorker
            || pg_sys::IsBinaryUpgrade
    };
    starting || with_a_session.contains(&source)
}

/// # Safety
/// Only within a check hook.
unsafe fn explain(refusal: &Refusal, message: Option<&'static str>) {
    let error = message.map(GucCheckError::new).unwrap_or_default();
    let error = error.with_detail(without_nul(&refusal.detail));
    let error = if refusal.hint.is_empty() {
        error
    } else {
        error.with_hint(refusal.hint)
    };
    // SAFETY: as the caller says.
    unsafe { error.apply() };
}

fn without_nul(text: &str) -> String {
    text.replace('\0', "")
}

fn utf8(text: &CStr) -> Result<&str, Refusal> {
    text.to_str().map_err(|_| Refusal {
        detail: "The value is not valid UTF-8.".to_owned(),
        hint: "",
    })
}

/// # Safety
/// `text` is null, which stands for an empty text, or points to a string that lives as long as the result is used.
unsafe fn text_at<'a>(text: *const c_char) -> &'a CStr {
    if text.is_null() {
        c""
    } else {
        // SAFETY: as the caller says.
        unsafe { CStr::from_ptr(text) }
    }
}
