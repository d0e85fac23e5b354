//! The exit codes, other than 0 and 1.

/// The exit codes, for the help.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  not done: the database cannot be reached, refuses, or has no object of that id or name;
     of status --problems: something needs attention; of diff: apply would change something
  2  the command line is wrong; of diff: the comparison failed
  3  done, but a delivery failed, or was still waiting after --wait
  4  of status: something is broken";

/// Done, but a delivery failed or is not finished.
pub const UNDELIVERED: u8 = 3;

/// For `status --problems`: something needs attention.
pub const ATTENTION: u8 = 1;

/// For `diff`: something would be changed.
pub const DIFFERENT: u8 = 1;

/// For `diff`: the comparison failed.
pub const UNKNOWN: u8 = 2;

/// Done, and something does not work.
pub const BROKEN: u8 = 4;
