//! What a connection needs before it begins: whom to believe, and who we are.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::OFlags;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, Error, InconsistentKeys, RootCertStore, SignatureScheme};

use super::super::TlsRules;
use super::words::mistake;

/// The keys that name the files.
const CA: &str = "forward_tls_ca";
pub(super) const CERT: &str = "forward_tls_cert";
pub(super) const KEY: &str = "forward_tls_key";
/// No file of certificates has more bytes.
const LARGEST: u64 = 4 << 20;
/// What others than the owner may do with a private key: a group may read it.
const FORBIDDEN: u32 = 0o027;

/// What is needed to begin a connection.
pub(super) fn client(rules: &TlsRules, identity: Arc<Identity>) -> io::Result<Arc<ClientConfig>> {
    // Named here, since there is none for the whole process: that would be everybody's to set.
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder =
        builder.with_safe_default_protocol_versions().map_err(|error| mistake(error.to_string()))?;
    let builder = builder.with_root_certificates(authorities(rules)?);
    let mut config = builder.with_client_cert_resolver(identity);
    // It is thrown away with the connection.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Those whose signatures count.
fn authorities(rules: &TlsRules) -> io::Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    let Some(path) = &rules.ca else {
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return match store.is_empty() {
            true => Err(mistake(format!(
                "this machine has no certificates of authorities: install the package ca-certificates, or name a file in {CA}"
            ))),
            false => Ok(store),
        };
    };
    for certificate in certificates(CA, path)? {
        let wrong = |error| mistake(format!("a certificate in {} cannot be used: {error}", named(CA, path)));
        store.add(certificate).map_err(wrong)?;
    }
    Ok(store)
}

/// What we show a server that asks who we are.
#[derive(Debug)]
pub(super) struct Identity {
    key: Option<Arc<CertifiedKey>>,
    was_asked_for: AtomicBool,
}

impl Identity {
    pub(super) fn of(rules: &TlsRules) -> io::Result<Self> {
        let key = rules.identity.as_ref().map(|(cert, key)| certified(cert, key).map(Arc::new));
        Ok(Self { key: key.transpose()?, was_asked_for: AtomicBool::new(false) })
    }

    pub(super) fn was_asked_for(&self) -> bool {
        self.was_asked_for.load(Ordering::Relaxed)
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.was_asked_for.store(true, Ordering::Relaxed);
        self.key.clone().filter(|key| key.key.choose_scheme(schemes).is_some())
    }

    fn has_certs(&self) -> bool {
        self.key.is_some()
    }
}

fn certified(cert: &Path, key: &Path) -> io::Result<CertifiedKey> {
    let chain = certificates(CERT, cert)?;
    let text = read(KEY, key, true)?;
    let secret = PrivateKeyDer::from_pem_slice(&text).map_err(|_| {
        mistake(format!(
            "there is no private key in {}: it has to be in PEM format, without a passphrase",
            named(KEY, key)
        ))
    })?;
    let secret = default_provider().key_provider.load_private_key(secret).map_err(|error| {
        mistake(format!("the private key in {} cannot be used: {error}", named(KEY, key)))
    })?;
    let certified = CertifiedKey::new(chain, secret);
    match certified.keys_match() {
        // Of some kinds of keys it cannot be told.
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
        Err(_) => {
            let (cert, key) = (named(CERT, cert), named(KEY, key));
            Err(mistake(format!("the private key in {key} does not belong to the certificate in {cert}")))
        }
    }
}

fn certificates(option: &str, path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let text = read(option, path, false)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(mistake(format!("there is no certificate in PEM format in {}", named(option, path)))),
    }
}

/// Reads a file of keys or certificates. A fifo or a device is none, and is not waited for.
fn read(option: &str, path: &Path, is_secret: bool) -> io::Result<Vec<u8>> {
    let refused = |error: io::Error| mistake(format!("{} cannot be read: {error}", named(option, path)));
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(refused)?;
    check(option, path, &file, is_secret)?;
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes).map_err(refused)?;
    Ok(bytes)
}

fn check(option: &str, path: &Path, file: &File, is_secret: bool) -> io::Result<()> {
    let meta = file.metadata()?;
    if !meta.is_file() || meta.len() > LARGEST {
        let most = LARGEST >> 20;
        return Err(mistake(format!("{} is no file of at most {most} MB", named(option, path))));
    }
    let mode = meta.permissions().mode() & 0o777;
    if is_secret && mode & FORBIDDEN != 0 {
        let (name, plain) = (named(option, path), path.display());
        return Err(mistake(format!(
            "others may read or change the private key {name}, its mode is {mode:04o}: chmod 600 {plain}"
        )));
    }
    Ok(())
}

fn named(option: &str, path: &Path) -> String {
    format!("'{}' ({option})", path.display())
}
