//! What lies between these types and the bindings of a driver. Both are made of one contract, so their members have the same
//! names; `conversions!` writes it once for all bindings.

/// Makes functions `call`, `answer`, `head`, `event`, `trouble` and `field`, which make the bindings' types of ours, and
/// `request`, `exchange`, `reply`, `failure` and `event_of`, which go the other way. `theirs` is a module in scope that holds
/// the bindings' types under the names of the contract.
#[macro_export]
macro_rules! conversions {
    ($theirs:path) => {
        use $theirs as theirs;

        pub(super) fn field(field: &$crate::Field) -> theirs::Field {
            theirs::Field { name: field.name.clone(), value: field.value.clone() }
        }

        pub(super) fn fields(fields: &[$crate::Field]) -> Vec<theirs::Field> {
            fields.iter().map(field).collect()
        }

        fn fields_of(fields: Vec<theirs::Field>) -> Vec<$crate::Field> {
            fields.into_iter().map(|field| $crate::Field { name: field.name, value: field.value }).collect()
        }

        pub(super) fn call(call: &$crate::Call) -> theirs::Call {
            theirs::Call {
                operation: call.operation.clone(),
                dialect: call.dialect.clone(),
                model: call.model.clone(),
                streaming: call.streaming,
                headers: fields(&call.headers),
                query: fields(&call.query),
                settings: call.settings.clone(),
                account: call
                    .account
                    .as_ref()
                    .map(|account| theirs::Account { label: account.label.clone(), claims: fields(&account.claims) }),
                provider: call.provider.clone(),
                model_info: call.model_info.clone(),
                attempt: call.attempt,
                more: String::new(),
            }
        }

        pub(super) fn answer(answer: &$crate::Answer) -> theirs::Answer {
            theirs::Answer {
                status: answer.status,
                headers: fields(&answer.headers),
                body: answer.body.clone(),
                truncated: answer.truncated,
                more: String::new(),
            }
        }

        pub(super) fn head(head: &$crate::Head) -> theirs::Head {
            theirs::Head { status: head.status, headers: fields(&head.headers), more: String::new() }
        }

        pub(super) fn event(event: &$crate::Event) -> theirs::Event {
            theirs::Event {
                name: event.name.clone(),
                headers: fields(&event.headers),
                data: event.data.clone(),
                binary: event.binary.clone(),
            }
        }

        pub(super) fn event_of(event: theirs::Event) -> $crate::Event {
            $crate::Event {
                name: event.name,
                headers: fields_of(event.headers),
                data: event.data,
                binary: event.binary,
            }
        }

        pub(super) fn trouble(trouble: &$crate::Trouble) -> theirs::Trouble {
            match trouble {
                $crate::Trouble::Answer(it) => theirs::Trouble::Answer(answer(it)),
                $crate::Trouble::Event(it) => theirs::Trouble::Event(event(it)),
            }
        }

        pub(super) fn failure(failure: theirs::Failure) -> $crate::Failure {
            $crate::Failure {
                kind: failure.kind,
                scope: failure.scope,
                message: failure.message,
                code: failure.code,
                retry_after_ms: failure.retry_after_ms,
                resets_at: failure.resets_at,
                status: failure.status,
                more: failure.more,
            }
        }

        pub(super) fn request(request: theirs::Request) -> $crate::Request {
            fn content(content: theirs::Content) -> $crate::Content {
                match content {
                    theirs::Content::Text(text) => $crate::Content::Text(text),
                    theirs::Content::Value(pointer) => $crate::Content::Value(pointer),
                    theirs::Content::Base64(pointer) => $crate::Content::Base64(pointer),
                }
            }
            let part = |part: theirs::Part| $crate::Part {
                name: part.name,
                filename: part.filename,
                content_type: part.content_type,
                content: content(part.content),
            };
            $crate::Request {
                method: request.method,
                origin: request.origin,
                path: request.path,
                query: fields_of(request.query),
                headers: fields_of(request.headers),
                body: match request.body {
                    theirs::Body::Forward => $crate::RequestBody::Forward,
                    theirs::Body::Json(text) => $crate::RequestBody::Json(text),
                    theirs::Body::Form(fields) => $crate::RequestBody::Form(fields_of(fields)),
                    theirs::Body::Multipart(parts) => {
                        $crate::RequestBody::Multipart(parts.into_iter().map(part).collect())
                    }
                    theirs::Body::Content(it) => $crate::RequestBody::Content(content(it)),
                    theirs::Body::Empty => $crate::RequestBody::Empty,
                },
                framing: request.framing,
                delivery: match request.delivery {
                    theirs::Delivery::Pass => $crate::Delivery::Pass,
                    theirs::Delivery::Rewrite(framing) => $crate::Delivery::Rewrite(framing),
                },
                memo: request.memo,
                dropped: request.dropped,
                more: request.more,
            }
        }

        pub(super) fn exchange(exchange: theirs::Exchange) -> $crate::Exchange {
            $crate::Exchange { request: request(exchange.request), memo: exchange.memo, wait_ms: exchange.wait_ms }
        }

        pub(super) fn reply(reply: theirs::Reply) -> $crate::Reply {
            $crate::Reply {
                status: reply.status,
                headers: fields_of(reply.headers),
                framing: reply.framing,
                body: reply.body,
                more: reply.more,
            }
        }
    };
}
