//! The end of a document is its last brace, not its connection's end: a stage that gathers one would wait for the latter as long as
//! the deadlines allow. `deliver` puts this behind the upstream where such a stage follows.

use bitrouter_dialect::DocumentEnd;
use bytes::Bytes;
use futures_util::stream;
use tokio::time::Instant;

use super::{AnswerSource, Broken, REST};

struct Document {
    source: AnswerSource,
    end: DocumentEnd,
    /// Until when the upstream is waited for, once the document is whole.
    rest: Option<Instant>,
}

/// Ends the source with its document. The upstream has a moment to end by itself, so that its connection can be used again.
pub(in crate::pipeline) fn stage(source: AnswerSource) -> AnswerSource {
    let document = Document { source, end: DocumentEnd::default(), rest: None };
    AnswerSource::Stage(Box::pin(stream::unfold(document, |mut document| async move {
        let next = document.next().await?;
        Some((next, document))
    })))
}

impl Document {
    async fn next(&mut self) -> Option<Result<Bytes, Broken>> {
        let read = std::future::poll_fn(|context| self.source.poll(context));
        let read = match self.rest {
            Some(rest) => tokio::time::timeout_at(rest, read).await.unwrap_or_default(),
            None => read.await,
        };
        if let Some(Ok(bytes)) = &read
            && self.end.feed(bytes)
        {
            self.rest.get_or_insert_with(|| Instant::now() + REST);
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    /// All that comes of pieces behind which the connection stays open, and how long that took.
    async fn read(pieces: &'static [&'static str]) -> (String, std::time::Duration) {
        let pieces = stream::iter(pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes()))));
        let source = AnswerSource::Stage(Box::pin(pieces.chain(stream::pending())));
        let AnswerSource::Stage(mut stage) = stage(source) else { panic!("it is a stage") };
        let (begun, mut text) = (Instant::now(), String::new());
        while let Ok(Some(read)) = tokio::time::timeout(std::time::Duration::from_secs(60), stage.next()).await {
            text.push_str(std::str::from_utf8(&read.unwrap()).unwrap());
        }
        (text, begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_document_ends_with_its_last_brace_and_anything_else_with_its_connection() {
        for (pieces, ends) in [
            (&["{\"a\":[1,{\"b\":\"}\"}", "]", "}\n"][..], true),
            (&["[{\"a\":1},", "{}]", " ", "\n"], true),
            (&["{\"a\":1"], false),
            (&["1"], false),
        ] {
            let (text, took) = read(pieces).await;
            assert_eq!(text, pieces.concat());
            assert_eq!(took == REST, ends, "{pieces:?}: {took:?}");
        }
    }
}
