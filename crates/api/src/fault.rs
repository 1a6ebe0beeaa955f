//! Faults: the one table of codes and names (RPC-040 … RPC-057).

use std::fmt;

macro_rules! codes {
    ($($variant:ident $code:literal $name:literal;)*) => {
        /// Why a request failed. Codes and names are a compatibility surface.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum FaultCode {
            $(#[doc = $name] $variant,)*
        }

        impl FaultCode {
            /// Every code, ascending.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The number on the wire.
            #[must_use]
            pub fn code(self) -> i32 {
                match self { $(Self::$variant => $code,)* }
            }

            /// The name that begins the fault string.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

codes! {
    UnknownMethod 1 "UNKNOWN_METHOD";
    IncorrectParameters 2 "INCORRECT_PARAMETERS";
    BadArguments 3 "BAD_ARGUMENTS";
    SignatureUnsupported 4 "SIGNATURE_UNSUPPORTED";
    ShutdownState 6 "SHUTDOWN_STATE";
    BadName 10 "BAD_NAME";
    BadSignal 11 "BAD_SIGNAL";
    NoFile 20 "NO_FILE";
    NotExecutable 21 "NOT_EXECUTABLE";
    Failed 30 "FAILED";
    AbnormalTermination 40 "ABNORMAL_TERMINATION";
    SpawnError 50 "SPAWN_ERROR";
    AlreadyStarted 60 "ALREADY_STARTED";
    NotRunning 70 "NOT_RUNNING";
    Success 80 "SUCCESS";
    AlreadyAdded 90 "ALREADY_ADDED";
    StillRunning 91 "STILL_RUNNING";
    CantReread 92 "CANT_REREAD";
}

impl FaultCode {
    /// The code of this number.
    #[must_use]
    pub fn from_code(code: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|fault| fault.code() == code)
    }
}

/// A failed request: displays as `NAME` or `NAME: EXTRA`, the fault string on the wire.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Fault {
    /// What kind of failure.
    pub code: FaultCode,
    /// What it was about, usually the name that was asked for.
    pub extra: Option<String>,
}

impl Fault {
    /// A fault without further text.
    #[must_use]
    pub fn new(code: FaultCode) -> Self {
        Self { code, extra: None }
    }

    /// A fault about `extra`.
    pub fn about(code: FaultCode, extra: impl Into<String>) -> Self {
        Self { code, extra: Some(extra.into()) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.name())?;
        match &self.extra {
            Some(extra) => write!(f, ": {extra}"),
            None => Ok(()),
        }
    }
}
