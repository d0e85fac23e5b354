//! Settings (GUCs): their definition, and the check of a new value before PostgreSQL takes it.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_void};
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pgrx::guc::{GucCheckError, GucContext, GucFlags, GucRegistry, GucSetting};
use pgrx::pg_sys;
use pgrx::pg_sys::submodules::thread_check::check_active_thread;

/// The definition of a setting of the extension.
pub struct Setting {
    pub name: &'static CStr,
    /// `pg_settings.short_desc`: a sentence.
    pub summary: &'static CStr,
    /// `pg_settings.extra_desc`.
    pub details: &'static CStr,
    pub set_by: SetBy,
    pub value: Value,
}

/// Who may set a setting, and where.
#[derive(Clone, Copy)]
pub enum SetBy {
    Anybody,
    Superuser,
    /// As [`SetBy::Superuser`]; only superusers and members of `pg_read_all_settings` can see it.
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

/// The values that a text setting may have, and their meaning.
///
/// The rule runs in every process, the postmaster included, so it calls no function of PostgreSQL.
pub trait Rule: 'static {
    type Value: Clone + Default;

    /// The message of a refusal, for a setting whose value may hold a secret: PostgreSQL's own message shows the value.
    const REFUSED: Option<&'static str> = None;

    /// Returns the meaning of the text.
    ///
    /// # Errors
    /// Why it is no value of the setting.
    fn parse(text: &str) -> Result<Self::Value, Refusal>;

    /// Checks what the value refers to, such as a file. It is not called for a value that was checked before: at the start of the server or
    /// of a session, and in a parallel worker.
    ///
    /// # Errors
    /// Why it cannot be used.
    fn check_reference(_value: &Self::Value) -> Result<(), Refusal> {
        Ok(())
    }
}

/// Why a value is refused. The message before it names the setting and, as a rule, the value.
#[derive(Debug)]
pub struct Refusal {
    pub detail: String,
    /// A sentence that shows a valid value; empty for none.
    pub hint: &'static str,
}

/// A text setting, with the meaning of its last value.
pub struct TextSetting<R: Rule> {
    variable: GucSetting<Option<CString>>,
    parsed: RefCell<Option<(CString, R::Value)>>,
    rule: PhantomData<fn() -> R>,
}

// SAFETY: `get` panics on every thread but PostgreSQL's own before it reads a field, and `define` runs on that thread; nothing else reads them but
// PostgreSQL.
unsafe impl<R: Rule> Sync for TextSetting<R> {}

impl<R: Rule> TextSetting<R> {
    pub const fn new() -> Self {
        Self {
            variable: GucSetting::<Option<CString>>::new(None),
            parsed: RefCell::new(None),
            rule: PhantomData,
        }
    }

    /// Returns the meaning of the current value; the default of the type for a value that the rule refuses, which is never set.
    pub fn get(&self) -> R::Value {
        check_active_thread();
        // SAFETY: PostgreSQL keeps the pointer null or pointing to a string that stays until the setting changes, on this thread; the string is
        // not used after this call.
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

/// A text setting with any rule.
pub trait TextVariable {
    fn define(&'static self, setting: &Setting, default: &'static CStr);
}

impl<R: Rule> TextVariable for TextSetting<R> {
    fn define(&'static self, setting: &Setting, default: &'static CStr) {
        // SAFETY: nothing reads the variable before it is defined. PostgreSQL copies the boot value (guc_strdup) and never writes to it. The check
        // hook catches panics.
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

/// Defines the settings, and reserves the prefix: from then on, to set another name that begins with it is an error.
pub fn define(prefix: &'static CStr, settings: impl IntoIterator<Item = Setting>) {
    for setting in settings {
        setting.define();
    }
    // SAFETY: PostgreSQL copies the string.
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

/// The check hook of a text setting. It catches every panic, which would end the server if it left the postmaster's.
unsafe extern "C-unwind" fn check<R: Rule>(
    new: *mut *mut c_char,
    _extra: *mut *mut c_void,
    source: pg_sys::GucSource::Type,
) -> bool {
    // SAFETY: `new` points to null or to a C string, which stays for the time of the call.
    let text = unsafe { text_at(*new) };
    let inherited = is_inherited(source);
    let checked = catch_unwind(AssertUnwindSafe(|| {
        let value = utf8(text).and_then(R::parse)?;
        if inherited {
            Ok(())
        } else {
            R::check_reference(&value)
        }
    }));
    let refusal = match checked {
        Ok(Ok(())) => return true,
        Ok(Err(refusal)) => refusal,
        Err(_) => Refusal {
            detail: "The value could not be checked.".to_owned(),
            hint: "",
        },
    };
    // SAFETY: this function is a check hook.
    unsafe { explain(&refusal, R::REFUSED) };
    false
}

/// Whether the value was set and checked before, so that nobody is there who could correct it now.
fn is_inherited(source: pg_sys::GucSource::Type) -> bool {
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
    // SAFETY: plain flags of this process, read on its main thread.
    let starting = unsafe {
        pg_sys::process_shared_preload_libraries_in_progress
            || pg_sys::InitializingParallelWorker
            || pg_sys::IsBinaryUpgrade
    };
    starting || with_a_session.contains(&source)
}

/// Gives the refusal's texts to PostgreSQL, which raises the error.
///
/// # Safety
/// Called within a check hook.
unsafe fn explain(refusal: &Refusal, message: Option<&'static str>) {
    let error = message.map(GucCheckError::new).unwrap_or_default();
    let error = error.with_detail(without_nul(&refusal.detail));
    let error = if refusal.hint.is_empty() {
        error
    } else {
        error.with_hint(refusal.hint)
    };
    // SAFETY: by the caller's promise.
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

/// Returns the text at a pointer; empty for null.
///
/// # Safety
/// `text` is null, or points to a C string that lives as long as the result is used.
unsafe fn text_at<'a>(text: *const c_char) -> &'a CStr {
    if text.is_null() {
        c""
    } else {
        // SAFETY: by the caller's promise.
        unsafe { CStr::from_ptr(text) }
    }
}
