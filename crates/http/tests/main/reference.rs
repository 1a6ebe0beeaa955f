//! The original, really running.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;
use upkeep_api::xmlrpc::{ResponseError, Value, decode_response, encode_call};

use crate::client::{Address, DEADLINE, post};

/// The interpreter that has Supervisor beside it.
pub(crate) fn interpreter() -> PathBuf {
    let path = std::env::var_os("UPKEEP_REFERENCE_PYTHON")
        .expect("set UPKEEP_REFERENCE_PYTHON to the python of a virtual environment with supervisor==4.3.0");
    PathBuf::from(path)
}

/// A supervisord that is up. It ends when dropped.
pub(crate) struct Reference {
    pub(crate) unix: Address,
    pub(crate) tcp: Address,
    pub(crate) folder: TempDir,
    child: Child,
}

impl Reference {
    /// Programs `on` (running) and `off`, with logs; the TCP server wants `u` and `p:w`.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        std::fs::write(folder.path().join("conf"), config(folder.path(), port)).expect("a file");
        std::fs::write(folder.path().join("off.log"), "x".repeat(2000)).expect("a file");
        let supervisord = interpreter().with_file_name("supervisord");
        let child = Command::new(&supervisord)
            .args(["-n", "-c", "conf"])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", supervisord.display()));
        let unix = Address::unix(&folder.path().join("sock"));
        let tcp = Address::Tcp(([127, 0, 0, 1], port).into());
        let up = Self { unix, tcp, folder, child };
        up.wait_until_running();
        up
    }

    fn wait_until_running(&self) {
        let begun = Instant::now();
        let running = || {
            self.unix.try_connect().is_ok()
                && self
                    .call("supervisor.getProcessInfo", &["on".into()])
                    .is_ok_and(|info| info.get("state") == Some(&20.into()))
        };
        while !running() {
            assert!(begun.elapsed() < DEADLINE, "it does not start");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// A call, and what it means.
    pub(crate) fn call(&self, method: &str, params: &[Value]) -> Result<Value, ResponseError> {
        call(&self.unix, method, params)
    }
}

/// A call to whoever listens there.
pub(crate) fn call(address: &Address, method: &str, params: &[Value]) -> Result<Value, ResponseError> {
    let answer = address.ask(&post(&encode_call(method, params), ""));
    decode_response(answer.body.as_bytes())
}

impl Drop for Reference {
    fn drop(&mut self) {
        // Asked, it stops its children; killed, it would leave them.
        let _ = self.call("supervisor.shutdown", &[]);
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

fn config(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    format!(
        "[unix_http_server]\nfile={folder}/sock\n\
         [inet_http_server]\nport=127.0.0.1:{port}\nusername=u\npassword=p:w\n\
         [supervisord]\nlogfile={folder}/log\npidfile={folder}/pid\nchildlogdir={folder}\n\
         [rpcinterface:supervisor]\n\
         supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n\
         [program:on]\ncommand=/bin/cat\nstartsecs=0\nuser=root\nexitcodes=0,2\n\
         stdout_logfile=NONE\nstderr_logfile=NONE\n\
         [program:off]\ncommand=/bin/sh -c \"exit 3 # <&>\"\nautostart=false\nautorestart=true\ndirectory=/\n\
         serverurl=http://localhost:1\nstdout_logfile={folder}/off.log\nredirect_stderr=true\n"
    )
}
