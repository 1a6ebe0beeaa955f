//! What the XML-RPC reader takes and refuses.

use proptest::prelude::*;
use upkeep_api::xmlrpc::{
    ReadLimits, RemoteFault, RequestError, ResponseError, Value, decode_call, decode_response, encode_call,
    encode_fault, encode_response,
};

use crate::properties;

fn call(params: &str) -> Result<Vec<Value>, RequestError> {
    let body = format!("<methodCall><methodName>m</methodName><params>{params}</params></methodCall>");
    decode_call(body.as_bytes(), ReadLimits::REQUEST).map(|(_, params)| params)
}

fn one(value: &str) -> Result<Value, RequestError> {
    call(&format!("<param>{value}</param>")).map(|mut params| params.remove(0))
}

fn array(items: impl IntoIterator<Item = Value>) -> Value {
    Value::Array(items.into_iter().collect())
}

/// RPC-024…026.
#[test]
fn request_values_rpc_024_to_026() {
    let rows = [
        ("<value><int>5</int></value>", Value::Int(5)),
        ("<value> <i4> -5\n</i4> </value>", Value::Int(-5)),
        ("<value><i8>5</i8></value>", "5".into()),
        ("<value><foo>x</foo></value>", "x".into()),
        ("<value><boolean>1</boolean></value>", true.into()),
        ("<value><boolean>true</boolean></value>", false.into()),
        ("<value><boolean> 1</boolean></value>", false.into()),
        ("<value/>", "".into()),
        ("<value></value>", "".into()),
        ("<value> a\n </value>", " a\n ".into()),
        ("<value>a\r\nb\rc</value>", "a\nb\nc".into()),
        ("<value><string/></value>", "".into()),
        ("<value><string> a &lt;&#65;&amp;<![CDATA[<b>]]></string></value>", " a <A&<b>".into()),
        ("<value><string>a<!-- no -->b<?no no?>c</string></value>", "abc".into()),
        ("<value><base64>\naMOp\n</base64></value>", "hé".into()),
        ("<value><double> 1.5 </double></value>", Value::Double(1.5)),
        (
            "<value><dateTime.iso8601>20261121T01:02:03</dateTime.iso8601></value>",
            Value::DateTime("20261121T01:02:03".into()),
        ),
        ("<value><nil/></value>", Value::Nil),
        ("<value><array><data/></array></value>", array([])),
        (
            "<value><array><data><value>a</value> <value><int>1</int></value></data></array></value>",
            array(["a".into(), 1.into()]),
        ),
        (
            "<value><struct><member><name>k</name><value>v</value></member></struct></value>",
            Value::record([("k", "v".into())]),
        ),
        ("<value><struct/></value>", Value::record([])),
    ];
    for (xml, value) in rows {
        assert_eq!(one(xml), Ok(value), "{xml}");
    }
}

#[test]
fn what_is_not_xml_rpc_is_refused_rpc_008() {
    let rows = [
        "",
        " ",
        "x",
        "<a>",
        "<a></b>",
        "<a/><b/>",
        "<a/>x",
        "<a b></a>",
        "<a>&nosuch;</a>",
        "<a>&</a>",
        "<!DOCTYPE a [<!ENTITY e \"x\">]><a>&e;</a>",
        "<params><param/></params>",
        "<value><int>x</int></value>",
        "<value><int/></value>",
        "<value><double>x</double></value>",
        "<value><array/></value>",
        "<value><base64>!</base64></value>",
        "<value><base64>/w==</base64></value>",
        "<value><struct><member><name>k</name></member></struct></value>",
        "<value><struct><member><value>k</value></member></struct></value>",
    ];
    for xml in rows {
        let read = decode_call(xml.as_bytes(), ReadLimits::REQUEST);
        assert!(matches!(read, Err(RequestError::Unmarshallable(_))), "{xml}: {read:?}");
    }
    let latin1 = b"<methodCall><methodName>\xe9</methodName></methodCall>";
    assert!(matches!(decode_call(latin1, ReadLimits::REQUEST), Err(RequestError::Unmarshallable(_))));
}

/// RPC-009…011.
#[test]
fn method_names_rpc_009_to_011() {
    let read = |xml: &str| decode_call(xml.as_bytes(), ReadLimits::REQUEST);
    for xml in ["<methodCall/>", "<methodCall><methodName/></methodCall>", "<params/>"] {
        assert_eq!(read(xml), Err(RequestError::NoMethodName), "{xml}");
    }
    let bare =
        "<?xml version=\"1.0\" encoding=\"x\"?>\n<methodCall><methodName> m </methodName></methodCall>\n";
    assert_eq!(read(bare), Ok((" m ".to_owned(), vec![])));
}

#[test]
fn limits_hold() {
    let limits = ReadLimits { bytes: 400, depth: 8, elements: 20 };
    let body = |inner: &str| format!("<methodCall><methodName>m</methodName>{inner}</methodCall>");
    let nested = |depth: usize| body(&format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth)));
    let rows = [
        (nested(7), None),
        (nested(8), Some("nested deeper than 8")),
        (body(&"<a/>".repeat(18)), None),
        (body(&"<a/>".repeat(19)), Some("more than 20 elements")),
        (body(&" ".repeat(400)), Some("longer than 400 bytes")),
    ];
    for (xml, refused) in rows {
        let why = decode_call(xml.as_bytes(), limits).err().map(|error| error.to_string());
        assert_eq!(why, refused.map(|text| format!("unmarshallable: {text}")), "{xml}");
    }
}

#[test]
fn answers() {
    let fault = RemoteFault { code: 10, text: "BAD_NAME: x".into() };
    assert_eq!(decode_response(&encode_fault(10, "BAD_NAME: x")), Err(ResponseError::Fault(fault)));
    let i8 = b"<methodResponse><params><param><value><i8>5000000000</i8></value></param></params></methodResponse>";
    assert_eq!(decode_response(i8), Ok(Value::Int(5_000_000_000)));
    // The original sends control bytes as they are (RPC-023); a log must stay readable for our client.
    let raw = b"<methodResponse><params><param><value><string>\x1b[0m</string></value></param></params></methodResponse>";
    assert_eq!(decode_response(raw), Ok("\u{1b}[0m".into()));
    for xml in [
        "<methodResponse/>",
        "<methodResponse><params/></methodResponse>",
        "<fault><value/></fault>",
        "<html>",
    ] {
        let read = decode_response(xml.as_bytes());
        assert!(matches!(read, Err(ResponseError::Malformed(_))), "{xml}: {read:?}");
    }
}

fn text() -> impl Strategy<Value = String> {
    // What XML carries unchanged: a carriage return alone does not come back as it was.
    "[\\t\\n -~\u{80}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]{0,20}"
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::Int),
        any::<bool>().prop_map(Value::Bool),
        text().prop_map(Value::String),
        (-1e9..1e9f64).prop_map(Value::Double),
        proptest::collection::vec(any::<u8>(), 0..100).prop_map(Value::Base64),
        Just(Value::Nil),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            proptest::collection::vec((text(), inner), 0..6).prop_map(Value::Struct),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_is_written_is_read(value in value()) {
        prop_assert_eq!(decode_response(&encode_response(&value)), Ok(value));
    }

    #[test]
    fn calls_come_back(method in "[a-zA-Z.<&]{1,20}", params in proptest::collection::vec(text(), 0..4)) {
        let params: Vec<Value> = params.into_iter().map(Value::String).collect();
        let read = decode_call(&encode_call(&method, &params), ReadLimits::REQUEST);
        prop_assert_eq!(read, Ok((method, params)));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        properties::request(&bytes);
        properties::answer(&bytes);
    }

    #[test]
    fn markup_is_read_or_refused(parts in proptest::collection::vec(markup(), 0..3)) {
        let inside = parts.concat();
        let values = format!("<params><param><value>{inside}</value></param></params>");
        for document in [
            inside,
            format!("<methodCall><methodName>m\r</methodName>{values}</methodCall>"),
            format!("<methodResponse>{values}</methodResponse>"),
        ] {
            properties::request(document.as_bytes());
            properties::answer(document.as_bytes());
        }
    }
}

/// Whole elements, mostly: random tags hardly ever close.
fn markup() -> impl Strategy<Value = String> {
    let tags = &[
        "value",
        "value",
        "int",
        "array",
        "data",
        "struct",
        "member",
        "name",
        "methodName",
        "methodCall",
        "params",
        "param",
        "fault",
        "base64",
        "string",
        "boolean",
        "double",
        "nil",
        "methodResponse",
        "dateTime.iso8601",
    ];
    let text = prop_oneof![
        Just("5"),
        Just("&#13;&lt;"),
        Just("<![CDATA[]]>"),
        Just(" \r\n"),
        Just("YQ=="),
        Just("-1.5e3"),
        Just("&#1;"),
        Just("<member><name>k</name><value>v</value></member>"),
        Just("<x/>"),
        Just("&bad;"),
        Just("<"),
        Just("1"),
    ];
    let leaf = prop_oneof![4 => text.prop_map(str::to_owned), 1 => any::<String>()];
    leaf.prop_recursive(8, 60, 4, move |inner| {
        let inside = proptest::collection::vec(inner, 0..4).prop_map(|parts| parts.concat());
        (proptest::sample::select(tags.as_slice()), inside)
            .prop_map(|(tag, inside)| format!("<{tag}>{inside}</{tag}>"))
    })
}
