use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::SystemTime;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion, version};

use super::super::Message;
use super::*;
use crate::engine::Origin;

const EXTENSIONS: &str = "[req]\ndistinguished_name=dn\n[dn]\n\
    [ca]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,digitalSignature\nsubjectAltName=DNS:logs.test\n\
    [server]\nbasicConstraints=critical,CA:FALSE\nsubjectAltName=DNS:logs.test\n\
    [client]\nbasicConstraints=critical,CA:FALSE\nextendedKeyUsage=clientAuth\n";

/// A folder with two authorities, `ca` and `other`, what `ca` has signed, and what `other` has.
struct Papers(tempfile::TempDir);

impl Papers {
    fn new() -> Papers {
        let papers = Papers(tempfile::tempdir().unwrap());
        fs::write(papers.path("cnf"), EXTENSIONS).unwrap();
        papers.make("ca", "ca", None);
        papers.make("other", "ca", None);
        papers.make("server", "server", Some("ca"));
        papers.make("client", "client", Some("ca"));
        papers.make("stranger", "client", Some("other"));
        papers
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn pem(&self, name: &str) -> PathBuf {
        self.path(&format!("{name}.pem"))
    }

    fn key(&self, name: &str) -> PathBuf {
        self.path(&format!("{name}.key"))
    }

    fn make(&self, name: &str, extensions: &str, signed_by: Option<&str>) {
        let mut command = Command::new("openssl");
        command.args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30".split(' '));
        command.arg("-config").arg(self.path("cnf")).args(["-extensions", extensions]);
        command.args(["-subj", &format!("/CN={name}")]).arg("-keyout").arg(self.key(name));
        command.arg("-out").arg(self.pem(name));
        if let Some(authority) = signed_by {
            command.arg("-CA").arg(self.pem(authority)).arg("-CAkey").arg(self.key(authority));
        }
        let output = command.stdin(Stdio::null()).output().expect("openssl");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// What a client goes by: an authority, and whose certificate it shows.
    fn rules(&self, ca: &str, own: Option<&str>) -> TlsRules {
        let identity = own.map(|own| (self.pem(own), self.key(own)));
        TlsRules { ca: Some(self.pem(ca)), identity, name: Some("logs.test".into()) }
    }
}

/// A server for one connection; what it read until the end, and whether that was a proper one.
struct Server {
    address: SocketAddr,
    thread: JoinHandle<(Vec<u8>, bool)>,
}

fn server_config(
    papers: &Papers,
    name: &str,
    asks: bool,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(versions).unwrap();
    let builder = if asks {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(papers.pem("ca")).unwrap()).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    let chain = vec![CertificateDer::from_pem_file(papers.pem(name)).unwrap()];
    let key = PrivateKeyDer::from_pem_file(papers.key(name)).unwrap();
    Arc::new(builder.with_single_cert(chain, key).unwrap())
}

type Served = rustls::StreamOwned<ServerConnection, TcpStream>;

fn serve(papers: &Papers, name: &str, asks: bool, versions: &[&'static SupportedProtocolVersion]) -> Server {
    serve_with(server_config(papers, name, asks, versions), |_| {})
}

/// Does `first` before it reads.
fn serve_with(config: Arc<ServerConfig>, first: impl FnOnce(&mut Served) + Send + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut stream = rustls::StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
        first(&mut stream);
        let mut data = Vec::new();
        let is_proper = stream.read_to_end(&mut data).is_ok();
        (data, is_proper)
    });
    Server { address, thread }
}

fn message(text: &str) -> Arc<Message> {
    let origin = Origin { group: "web".into(), process: "web".into(), is_stderr: false, pid: 1 };
    Arc::new(Message { at: SystemTime::now(), origin: Arc::new(origin), text: text.as_bytes().into() })
}

fn open(server: &Server, rules: &TlsRules) -> io::Result<Secure> {
    Secure::open("127.0.0.1", server.address.port(), rules)
}

const BOTH: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];

#[test]
fn messages_arrive_whole_and_the_end_is_told() {
    let papers = Papers::new();
    for (asks, versions) in [(false, BOTH), (true, BOTH), (true, &BOTH[1..])] {
        let server = serve(&papers, "server", asks, versions);
        let mut secure = open(&server, &papers.rules("ca", Some("client"))).unwrap();
        let mut batch: Batch =
            ["one", "", &"x".repeat(70_000), "two \u{4e2d}"].into_iter().map(message).collect();
        secure.send("host", &mut batch).unwrap();
        assert!(batch.is_empty());
        drop(secure);
        let (data, is_proper) = server.thread.join().unwrap();
        assert!(is_proper, "the end of the connection is told");
        let text = String::from_utf8(data).unwrap();
        let (mut rest, mut found) = (text.as_str(), Vec::new());
        while !rest.is_empty() {
            let (length, behind) = rest.split_once(' ').unwrap();
            let (one, others) = behind.split_at(length.parse().unwrap());
            found.push(one.split_once(" stdout - ").unwrap().1.len());
            rest = others;
        }
        assert_eq!(found, [3, 0, 70_000, 7]);
    }
}

/// What a server says when everything has been sent is read by nobody, and takes nothing away from what it has not read yet.
#[test]
fn a_late_word_breaks_nothing_off() {
    let papers = Papers::new();
    let (sent, is_sent) = mpsc::channel();
    let (said, is_said) = mpsc::channel();
    let server = serve_with(server_config(&papers, "server", false, BOTH), move |stream| {
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).unwrap();
        }
        is_sent.recv().unwrap();
        stream.write_all(b"late").unwrap();
        said.send(()).unwrap();
    });
    let mut secure = open(&server, &papers.rules("ca", None)).unwrap();
    // More than its end of the connection takes before it reads.
    let mut batch: Batch = (0..10).map(|_| message(&"x".repeat(30_000))).collect();
    secure.send("host", &mut batch).unwrap();
    sent.send(()).unwrap();
    is_said.recv().unwrap();
    drop(secure);
    let (data, is_proper) = server.thread.join().unwrap();
    assert!(is_proper && data.len() > 300_000, "{}", data.len());
}

/// Whoever is not who it should be gets nothing, and the error says what to do.
#[test]
fn nobody_else_is_sent_anything() {
    let papers = Papers::new();
    let (tls13, tls12) = (&BOTH[..1], &BOTH[1..]);
    let other_name = TlsRules { name: Some("log.test".into()), ..papers.rules("ca", None) };
    let rows: [(&str, bool, &[_], TlsRules, &str); 8] = [
        ("server", false, BOTH, papers.rules("other", None), "is signed by nobody in '"),
        (
            "server",
            false,
            BOTH,
            TlsRules { ca: None, ..papers.rules("ca", None) },
            "install the package ca-certificates|nobody whom this machine knows",
        ),
        (
            "server",
            false,
            BOTH,
            other_name,
            "the server's certificate is not for 'log.test' but for logs.test: write",
        ),
        ("ca", false, BOTH, papers.rules("ca", None), "one of an authority (CA:TRUE)"),
        (
            "server",
            true,
            tls13,
            papers.rules("ca", None),
            "it wants to know who we are (CertificateRequired)",
        ),
        ("server", true, tls12, papers.rules("ca", None), "it wants to know who we are ("),
        ("server", true, tls13, papers.rules("ca", Some("stranger")), "it refuses our certificate '"),
        ("server", true, tls12, papers.rules("ca", Some("stranger")), "it refuses our certificate '"),
    ];
    for (name, asks, versions, rules, expected) in rows {
        let server = serve(&papers, name, asks, versions);
        let error = open(&server, &rules).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
        let text = error.to_string();
        assert!(expected.split('|').any(|expected| text.contains(expected)), "{expected}: {text}");
        assert_eq!(server.thread.join().unwrap().0, b"", "{expected}");
    }
}

#[test]
fn what_speaks_no_tls_is_told() {
    let papers = Papers::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for (answer, expected) in [("220 mail ready\r\n", "does not speak TLS"), ("", "closed the connection")] {
        let rules = papers.rules("ca", None);
        let client = std::thread::spawn(move || Secure::open("127.0.0.1", port, &rules).map(|_| ()));
        let (mut stream, _) = listener.accept().unwrap();
        let mut hello = [0; 5];
        stream.read_exact(&mut hello).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let text = client.join().unwrap().unwrap_err().to_string();
        assert!(text.contains(expected), "{text}");
    }
}

/// What is wrong with the files is found before anybody is connected to.
#[test]
fn files_are_looked_at() {
    let papers = Papers::new();
    fs::write(papers.path("nothing"), "no certificate\n").unwrap();
    fs::copy(papers.key("client"), papers.path("open.key")).unwrap();
    fs::set_permissions(papers.path("open.key"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::copy(papers.key("client"), papers.path("group.key")).unwrap();
    fs::set_permissions(papers.path("group.key"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::write(papers.path("empty.key"), "").unwrap();
    fs::set_permissions(papers.path("empty.key"), fs::Permissions::from_mode(0o600)).unwrap();
    let good = papers.rules("ca", Some("client"));
    let with_key =
        |name: &str| TlsRules { identity: Some((papers.pem("client"), papers.path(name))), ..good.clone() };
    let with_ca = |path: &Path| TlsRules { ca: Some(path.to_owned()), ..good.clone() };
    let rows = [
        (
            with_ca(Path::new("/nonexistent/ca")),
            "'/nonexistent/ca' (forward_tls_ca) cannot be read: No such file",
        ),
        (with_ca(&papers.path("nothing")), "there is no certificate in PEM format in '"),
        (with_ca(Path::new("/dev/zero")), "'/dev/zero' (forward_tls_ca) is no file of at most 4 MB"),
        (with_key("open.key"), "its mode is 0644: chmod 600 /"),
        (with_key("server.key"), "does not belong to the certificate in '"),
        (with_key("empty.key"), "there is no private key in '"),
    ];
    for (rules, expected) in rows {
        let text = Secure::open("127.0.0.1", 1, &rules).map(|_| ()).unwrap_err().to_string();
        assert!(text.contains(expected), "{text}");
    }
    let refused = Secure::open("127.0.0.1", 1, &with_key("group.key")).map(|_| ()).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused, "a group may read a key: {refused}");
}
