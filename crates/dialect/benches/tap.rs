//! What the tap costs: a burst of 64 events of about 150 bytes, in one chunk and in 64, and large whole answers.
//! Prints the median of many rounds; run with `cargo bench -p bitrouter-dialect`.

use std::hint::black_box;
use std::time::Instant;

use bitrouter_dialect::{Dialect, Framing, Tap};

const EVENTS: usize = 64;

fn event(dialect: Dialect, index: usize) -> String {
    let word = format!("word{index}");
    match dialect {
        Dialect::ChatCompletions => format!(
            "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{word}\"}},\"finish_reason\":null}}]}}\n\n"
        ),
        Dialect::Responses => format!(
            "event: response.output_text.delta\ndata: {{\"type\":\"response.output_text.delta\",\"sequence_number\":{index},\"item_id\":\"msg_1\",\"output_index\":0,\"delta\":\"{word}\"}}\n\n"
        ),
        Dialect::Messages => format!(
            "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{word} and some more of it\"}}}}\n\n"
        ),
        Dialect::GenerateContent => format!(
            "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"{word}\"}}],\"role\":\"model\"}},\"index\":0}}],\"usageMetadata\":{{\"promptTokenCount\":9,\"totalTokenCount\":{index}}}}}\r\n\r\n"
        ),
    }
}

/// The median time of one round in nanoseconds; each sample is the mean of `rounds`.
fn median(rounds: u32, mut round: impl FnMut()) -> f64 {
    let mut samples: Vec<f64> = (0..31)
        .map(|_| {
            let start = Instant::now();
            (0..rounds).for_each(|_| round());
            start.elapsed().as_nanos() as f64 / f64::from(rounds)
        })
        .collect();
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

fn tap(dialect: Dialect, framing: Framing, chunks: &[&[u8]]) {
    let mut tap = Tap::new(dialect, framing);
    for chunk in chunks {
        tap.feed(black_box(chunk));
    }
    black_box(tap.finish());
}

fn main() {
    for dialect in Dialect::ALL {
        let events: Vec<String> = (0..EVENTS).map(|index| event(dialect, index)).collect();
        let burst = events.concat();
        let parts: Vec<&[u8]> = events.iter().map(|event| event.as_bytes()).collect();
        let torn: Vec<&[u8]> = burst.as_bytes().chunks(100).collect();
        let size = burst.len() / EVENTS;
        let cost = |chunks: &[&[u8]]| median(500, || tap(dialect, Framing::Sse, chunks));
        println!(
            "{dialect:>17}, {EVENTS} events of {size} bytes: one chunk {:.0} ns, {EVENTS} chunks {:.0} ns, chunks of 100 bytes {:.0} ns",
            cost(&[burst.as_bytes()]),
            cost(&parts),
            cost(&torn),
        );
    }

    let floats = "-0.0123456,".repeat(1_000_000);
    let embeddings = format!("{{\"data\":[{{\"embedding\":[{floats}0]}}],\"usage\":{{\"prompt_tokens\":8}}}}");
    let code = "if a { \\\"b\\\" }\\n".repeat(600_000);
    let text = format!("{{\"content\":[{{\"text\":\"{code}\"}}],\"usage\":{{\"input_tokens\":8}}}}");
    for (name, body) in [("embeddings", embeddings), ("code full of escapes", text)] {
        let chunks: Vec<&[u8]> = body.as_bytes().chunks(16 * 1024).collect();
        let cost = median(1, || tap(Dialect::ChatCompletions, Framing::Json, &chunks));
        println!("{name}, {} bytes in chunks of 16 KiB: {:.0} ns", body.len(), cost);
    }
}
