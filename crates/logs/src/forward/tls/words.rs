//! Why a connection cannot be made, and what to do about it.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

use super::super::TlsRules;
use super::setup::{CERT, KEY};

/// How many of the names in a certificate are shown.
const MOST_NAMES: usize = 3;
/// How much of each.
const LONGEST_NAME: usize = 100;

/// Something that waiting does not mend.
pub(super) fn mistake(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

pub(super) fn no_name(name: &str) -> io::Error {
    mistake(format!(
        "no certificate can be for '{name}': write the name in the server's certificate into forward_tls_name"
    ))
}

/// What an error means to whoever configured this.
pub(super) fn reason(error: &Error, name: &str, rules: &TlsRules) -> io::Error {
    mistake(match error {
        Error::InvalidCertificate(problem) => certificate(problem, name, rules),
        Error::AlertReceived(alert) => refusal(*alert, rules),
        Error::InvalidMessage(_) => "what answers there does not speak TLS: is it the right port?".to_owned(),
        Error::PeerIncompatible(what) => {
            format!(
                "it has no way of encryption in common with us, which are those of TLS 1.2 and 1.3 ({what:?})"
            )
        }
        other => other.to_string(),
    })
}

fn certificate(problem: &CertificateError, name: &str, rules: &TlsRules) -> String {
    match problem {
        CertificateError::UnknownIssuer => {
            let known = match &rules.ca {
                Some(path) => format!("nobody in '{}'", path.display()),
                None => "nobody whom this machine knows".to_owned(),
            };
            format!(
                "the server's certificate is signed by {known}: write the file with its authority's certificate into forward_tls_ca"
            )
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired: renew it there".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet: are both machines' clocks right?".to_owned()
        }
        CertificateError::NotValidForName => wrong_name(name, &[]),
        CertificateError::NotValidForNameContext { presented, .. } => wrong_name(name, presented),
        other if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "the server's certificate is one of an authority (CA:TRUE), which no server may use: make one with CA:FALSE".to_owned()
        }
        other => format!("the server's certificate is no good: {other}"),
    }
}

fn wrong_name(name: &str, presented: &[String]) -> String {
    let mut shown = presented.iter().take(MOST_NAMES).map(|name| plain(name)).collect::<Vec<_>>().join(", ");
    if presented.len() > MOST_NAMES {
        shown.push_str(", …");
    }
    let others = if shown.is_empty() { String::new() } else { format!(" but for {shown}") };
    format!(
        "the server's certificate is not for '{name}'{others}: write the name that it is for into forward_tls_name"
    )
}

/// A name out of a certificate, which comes as `DnsName("NAME")` and may hold anything.
fn plain(name: &str) -> String {
    let inner = name.split_once('(').map_or(name, |(_, rest)| rest);
    let inner = inner.trim_end_matches(')').trim_matches('"');
    inner.chars().take(LONGEST_NAME).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}

/// It does not want us.
fn refusal(alert: AlertDescription, rules: &TlsRules) -> String {
    use AlertDescription as A;
    let is_about_us = matches!(
        alert,
        A::CertificateRequired
            | A::BadCertificate
            | A::UnsupportedCertificate
            | A::CertificateRevoked
            | A::CertificateExpired
            | A::CertificateUnknown
            | A::UnknownCA
            | A::AccessDenied
            | A::DecryptError
    );
    match &rules.identity {
        Some((cert, _)) if is_about_us => format!(
            "it refuses our certificate '{}' ({alert:?}): is it still valid, and signed by somebody whom that server knows?",
            cert.display()
        ),
        None if is_about_us || alert == A::HandshakeFailure => format!(
            "it wants to know who we are ({alert:?}): write the files of a certificate and its key into {CERT} and {KEY}"
        ),
        _ => format!("it refuses the connection ({alert:?})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mistake_says_what_to_do() {
        let own = TlsRules { identity: Some(("/c".into(), "/k".into())), ca: Some("/ca".into()), name: None };
        let none = TlsRules::default();
        let names = |count: usize| (0..count).map(|number| format!("n{number}")).collect::<Vec<_>>();
        let rows: [(CertificateError, &TlsRules, &str); 6] = [
            (CertificateError::UnknownIssuer, &own, "signed by nobody in '/ca': write"),
            (CertificateError::UnknownIssuer, &none, "nobody whom this machine knows"),
            (CertificateError::Expired, &none, "has expired: renew it"),
            (CertificateError::NotValidYet, &none, "clocks"),
            (CertificateError::NotValidForName, &none, "is not for 'logs': write"),
            (CertificateError::BadSignature, &none, "the server's certificate is no good: "),
        ];
        for (problem, rules, expected) in rows {
            let said = reason(&Error::InvalidCertificate(problem), "logs", rules).to_string();
            assert!(said.contains(expected), "{said}");
        }
        assert!(wrong_name("logs", &names(2)).contains("'logs' but for n0, n1: write"));
        assert!(wrong_name("logs", &names(9)).contains("n2, …: write"));
        assert_eq!(plain("DnsName(\"*.example\")"), "*.example");
        assert_eq!(plain("IpAddress(10.0.0.1)"), "10.0.0.1");
        assert_eq!(plain(&format!("DnsName(\"a\n{}\")", "b".repeat(999))), format!("a?{}", "b".repeat(98)));
        for (alert, rules, expected) in [
            (AlertDescription::UnknownCA, &own, "it refuses our certificate '/c' (UnknownCA)"),
            (AlertDescription::CertificateRequired, &none, "into forward_tls_cert and forward_tls_key"),
            (AlertDescription::InternalError, &own, "it refuses the connection (InternalError)"),
        ] {
            let said = reason(&Error::AlertReceived(alert), "logs", rules).to_string();
            assert!(said.contains(expected), "{said}");
        }
    }
}
