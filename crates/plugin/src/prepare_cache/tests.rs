use bitrouter_document::Document;

use super::super::asked::{Asked, Said};
use super::super::contract::document as guest;
use super::steps::Script;
use super::*;

fn call() -> Call {
    Call {
        operation: "generate".into(),
        dialect: "responses".into(),
        model: "gpt-5".into(),
        streaming: true,
        headers: vec![Field { name: "openai-beta".into(), value: "x".into() }],
        query: Vec::new(),
        settings: "{}".into(),
        account: Some(Account { label: "work".into(), claims: Vec::new() }),
        provider: "acme".into(),
        model_info: "{}".into(),
        attempt: 1,
        more: String::new(),
    }
}

fn request() -> Arc<Request> {
    Arc::new(Request {
        method: "POST".into(),
        origin: "api".into(),
        path: "/responses".into(),
        values: Vec::new(),
        query: Vec::new(),
        headers: Vec::new(),
        body: Body::Forward,
        framing: "sse".into(),
        delivery: Delivery::Pass,
        memo: Vec::new(),
        dropped: Vec::new(),
        more: String::new(),
    })
}

/// Keeps an answer for which nothing was asked.
fn keep(prepare_cache: &PrepareCache, call: &Call, request: &Arc<Request>) {
    prepare_cache.keep(call, &HookBody::None, Trace::new(Script::default()), request);
}

fn is_known(prepare_cache: &PrepareCache, call: &Call, mut body: HookBody) -> bool {
    matches!(prepare_cache.get(call, &mut body), Walked::Request(_))
}

/// A component: what it answers follows from what it is told.
type Component = fn(&mut dyn FnMut(Asked) -> Said) -> Request;

/// A component in the place of `prepare`: whether it had to run, how many of its questions it had to ask, its answer, the body.
fn prepare(prepare_cache: &PrepareCache, component: Component, body: &str) -> (bool, usize, Arc<Request>, String) {
    let call = call();
    let mut body = HookBody::Json(Document::parse(body.to_owned()).unwrap());
    let script = match prepare_cache.get(&call, &mut body) {
        Walked::Request(request) => return (false, 0, request, text(&body)),
        Walked::Unknown(script) => script,
    };
    let (mut trace, mut asked_anew) = (Trace::new(script), 0);
    let request = Arc::new(component(&mut |asked| {
        trace.told(&asked).unwrap().unwrap_or_else(|| {
            asked_anew += 1;
            let said = asked.now(body.document().unwrap()).unwrap();
            trace.note(asked, &said);
            said
        })
    }));
    prepare_cache.keep(&call, &body, trace, &request);
    (true, asked_anew, request, text(&body))
}

fn text(body: &HookBody) -> String {
    let HookBody::Json(document) = body else { return String::new() };
    String::from_utf8(document.output().into_bytes().to_vec()).unwrap()
}

fn set(path: &str, value: &str) -> guest::Edit {
    guest::Edit::Add(guest::Assignment { path: path.into(), value: value.into() })
}

/// Takes `user` out if it is there, reads what its edit left, and says the model in its path.
fn editing(ask: &mut dyn FnMut(Asked) -> Said) -> Request {
    let mut answer = Arc::into_inner(request()).unwrap();
    if let Said::Kind(Some(_)) = ask(Asked::Kind("/user".into())) {
        ask(Asked::Patch(vec![guest::Edit::Remove("/user".into()), set("/store", "false")]));
        answer.dropped.push("/user".into());
    }
    if let Said::Text(Some(effort)) = ask(Asked::Get("/effort".into(), 16)) {
        answer.path = format!("/responses/{effort}");
    }
    if let Said::Keys(keys) = ask(Asked::Keys(String::new())) {
        answer.memo = keys.join(",").into_bytes();
    }
    answer
}

#[test]
fn what_was_edited_before_is_edited_again_without_the_component() {
    let prepare_cache = PrepareCache::default();
    let (one, another) = (r#"{"a":1,"user":"x","effort":2}"#, r#"{"a":"two","user":"another","effort":2}"#);
    assert!(prepare(&prepare_cache, editing, one).0);
    let (ran, _, request, body) = prepare(&prepare_cache, editing, another);
    assert!(!ran);
    assert_eq!((request.path.as_str(), request.dropped.len()), ("/responses/2", 1));
    assert_eq!(body, r#"{"a":"two","effort":2,"store":false}"#);
}

#[test]
fn where_the_body_says_something_new_the_component_runs_and_nothing_is_done_twice() {
    let prepare_cache = PrepareCache::default();
    prepare(&prepare_cache, editing, r#"{"user":1,"effort":2}"#);
    // The first two questions are answered by the walk, edits included; the third is the component's.
    let (ran, asked, request, body) = prepare(&prepare_cache, editing, r#"{"user":1,"effort":3}"#);
    assert_eq!((ran, asked, request.path.as_str()), (true, 1, "/responses/3"));
    assert_eq!(body, r#"{"effort":3,"store":false}"#);
    assert!(!prepare(&prepare_cache, editing, r#"{"user":1,"effort":3}"#).0);
}

#[test]
fn with_the_memory_every_body_becomes_what_it_becomes_without() {
    let prepare_cache = PrepareCache::default();
    let mut ran = 0;
    for round in 0..400u32 {
        let number = round.wrapping_mul(2_654_435_761) >> 16;
        let user = ["", r#""user":1,"#, r#""user":null,"#][number as usize % 3];
        let effort = ["", r#""effort":"low","#, r#""effort":[1,2],"#, r#""effort":"a text that is too long","#];
        let effort = effort[(number / 3) as usize % 4];
        let more = ["", r#""more":{},"#][(number / 12) as usize % 2];
        let body = format!(r#"{{{user}{effort}{more}"round":{round}}}"#);
        let (did_run, _, kept, kept_body) = prepare(&prepare_cache, editing, &body);
        let (_, _, fresh, fresh_body) = prepare(&PrepareCache::default(), editing, &body);
        assert!(
            format!("{kept:?}") == format!("{fresh:?}") && kept_body == fresh_body,
            "{body} became {kept_body}, without the memory {fresh_body}"
        );
        ran += usize::from(did_run);
    }
    assert!((2..=30).contains(&ran), "it ran {ran} times");
}

#[test]
fn a_component_that_reads_what_differs_each_time_fills_nothing() {
    fn reading(ask: &mut dyn FnMut(Asked) -> Said) -> Request {
        ask(Asked::Get("/text".into(), 100));
        Arc::into_inner(request()).unwrap()
    }
    let prepare_cache = PrepareCache::default();
    for number in 0..2_000 {
        prepare(&prepare_cache, reading, &format!(r#"{{"text":"{number}"}}"#));
    }
    let bytes = prepare_cache.answers.read().unwrap().bytes;
    assert!(bytes < 64 << 10, "{bytes}");
    assert!(!prepare(&prepare_cache, reading, r#"{"text":"3"}"#).0);
}

#[test]
fn what_is_asked_of_a_loop_over_messages_or_of_long_texts_is_not_kept() {
    fn looping(ask: &mut dyn FnMut(Asked) -> Said) -> Request {
        for at in 0..100 {
            ask(Asked::Kind(format!("/messages/{at}")));
        }
        Arc::into_inner(request()).unwrap()
    }
    fn reading(ask: &mut dyn FnMut(Asked) -> Said) -> Request {
        ask(Asked::Get("/messages".into(), u32::MAX));
        Arc::into_inner(request()).unwrap()
    }
    let body = format!(r#"{{"messages":["{}"]}}"#, "x".repeat(20 << 10));
    for component in [looping, reading] {
        let prepare_cache = PrepareCache::default();
        assert!(prepare(&prepare_cache, component, &body).0);
        assert!(prepare(&prepare_cache, component, &body).0, "nothing was kept");
        assert_eq!(prepare_cache.answers.read().unwrap().bytes, 0);
    }
}

#[test]
fn a_component_that_is_not_pure_is_told_so() {
    fn first(ask: &mut dyn FnMut(Asked) -> Said) -> Request {
        ask(Asked::Kind("/a".into()));
        ask(Asked::Kind("/b".into()));
        Arc::into_inner(request()).unwrap()
    }
    let prepare_cache = PrepareCache::default();
    prepare(&prepare_cache, first, r#"{"b":1}"#);
    let mut body = HookBody::Json(Document::parse(r#"{"b":"x"}"#).unwrap());
    let Walked::Unknown(script) = prepare_cache.get(&call(), &mut body) else { panic!("what `b` is differs") };
    let mut trace = Trace::new(script);
    assert!(trace.told(&Asked::Kind("/c".into())).unwrap_err().to_string().contains("other things than before"));
    assert!(trace.way_to(&request()).is_none());
}

#[test]
fn the_same_call_has_the_same_answer_and_any_other_has_none() {
    let prepare_cache = PrepareCache::default();
    keep(&prepare_cache, &call(), &request());
    assert!(is_known(&prepare_cache, &call(), HookBody::None));
    let changes: [fn(&mut Call); 12] = [
        |call| call.operation.push('x'),
        |call| call.dialect.push('x'),
        |call| call.model.push('x'),
        |call| call.streaming = false,
        |call| call.headers[0].value.push('x'),
        |call| call.query.push(Field { name: "a".into(), value: "b".into() }),
        |call| call.settings = r#"{"a":1}"#.into(),
        |call| call.account = None,
        |call| call.provider.push('x'),
        |call| call.model_info = r#"{"max_output":1}"#.into(),
        |call| call.attempt = 2,
        |call| call.more = "{}".into(),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut other = call();
        change(&mut other);
        assert!(!is_known(&prepare_cache, &other, HookBody::None), "change {index}");
    }
    let blob = crate::contract::Blob { content_type: "a/b".into(), length: None };
    assert!(!is_known(&prepare_cache, &call(), HookBody::Opaque { blob, pieces: Vec::new() }));
}

#[test]
fn calls_that_differ_each_time_do_not_fill_the_memory() {
    let prepare_cache = PrepareCache::default();
    for number in 0..3 * MOST_REQUESTS {
        let mut call = call();
        call.headers[0].value = number.to_string();
        keep(&prepare_cache, &call, &request());
    }
    assert!(prepare_cache.answers.read().unwrap().by_key.len() <= MOST_REQUESTS);
}

#[test]
fn large_headers_do_not_fill_the_memory() {
    for (size, calls) in [(100 << 10, 512), (12 << 10, 2_000), (1 << 10, 5_000)] {
        let prepare_cache = PrepareCache::default();
        for number in 0..calls {
            let mut call = call();
            call.headers[0].value = format!("{number}{}", "x".repeat(size));
            keep(&prepare_cache, &call, &request());
        }
        let answers = prepare_cache.answers.read().unwrap();
        let held: usize = answers.by_key.values().map(|(question, _)| question.call.headers[0].value.len()).sum();
        assert!(held <= MOST_BYTES && answers.bytes <= MOST_BYTES, "{held} bytes of headers of {size}");
        assert_eq!(held == 0, size > LARGEST_REQUEST);
    }
    // What a component describes is counted as well.
    let prepare_cache = PrepareCache::default();
    let large = Request { memo: vec![0; LARGEST_REQUEST], ..Arc::into_inner(request()).unwrap() };
    keep(&prepare_cache, &call(), &Arc::new(large));
    assert!(!is_known(&prepare_cache, &call(), HookBody::None));
}
