//! Python's own `xmlrpc.client` as the judge: our documents mean to it what we meant, byte for byte where it writes.

use std::io::Write;
use std::process::{Command, Stdio};

use upkeep_api::xmlrpc::{ReadLimits, Value, decode_call, encode_call, encode_fault, encode_response};

/// Feeds `input` to a Python program and returns what it printed.
fn python(program: &str, input: &[u8]) -> Vec<u8> {
    let interpreter = std::env::var("UPKEEP_REFERENCE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut child = Command::new(&interpreter)
        .args(["-c", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{interpreter} (set UPKEEP_REFERENCE_PYTHON): {error}"));
    child.stdin.take().expect("stdin is piped").write_all(input).expect("it reads its input");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{interpreter} failed");
    output.stdout
}

fn sample() -> Value {
    Value::record([
        ("int", Value::Int(-7)),
        ("yes", true.into()),
        ("text", "a&b <c> \"d\" 'e' é 中文 😀\n".into()),
        ("double", Value::Double(0.1)),
        ("data", Value::Base64((0..=255).collect())),
        ("list", Value::Array(vec![Value::strings(["x", ""]), Value::record([])])),
    ])
}

/// Reads a document and writes it again with the writer Supervisor uses.
const ECHO: &str = "import sys, xmlrpc.client as x
data, method = x.loads(sys.stdin.buffer.read(), use_builtin_types=True)
out = x.dumps(data, method, methodresponse=method is None)
sys.stdout.buffer.write(out.encode('utf-8'))";

#[test]
fn python_writes_the_same_bytes_rpc_022() {
    let answer = encode_response(&sample());
    assert_eq!(python(ECHO, &answer), answer);
    let call = encode_call("supervisor.startProcess", &["a:b".into(), true.into(), sample()]);
    assert_eq!(python(ECHO, &call), call);
}

#[test]
fn python_writes_the_same_fault() {
    const FAULT: &str = "import sys, xmlrpc.client as x
try: x.loads(sys.stdin.buffer.read())
except x.Fault as f: sys.stdout.buffer.write(x.dumps(x.Fault(f.faultCode, f.faultString)).encode())";
    let fault = encode_fault(10, "BAD_NAME: <x>");
    assert_eq!(python(FAULT, &fault), fault);
}

#[test]
fn what_python_sends_is_read() {
    const SEND: &str = "import sys, datetime, xmlrpc.client as x
v = {'a': [1, -2, True, 'é & <x>', 1.5, {}], 'd': datetime.datetime(2026, 11, 21, 1, 2, 3)}
sys.stdout.buffer.write(x.dumps((v, x.Binary('hé'.encode())), 'ns.m').encode())";
    let list =
        vec![1.into(), (-2).into(), true.into(), "é & <x>".into(), Value::Double(1.5), Value::record([])];
    let value =
        Value::record([("a", Value::Array(list)), ("d", Value::DateTime("20261121T01:02:03".into()))]);
    let read = decode_call(&python(SEND, b""), ReadLimits::REQUEST);
    assert_eq!(read, Ok(("ns.m".to_owned(), vec![value, "hé".into()])));
}
