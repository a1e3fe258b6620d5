//! The hostile corpus as an abuse: every call of `tests/hostile/calls.json` that a client can make, several at once and again
//! and again, where the plugin folder holds all of `tests/hostile/load`. Called by its row. What each behaviour must lead to
//! is checked by the end-to-end tests; here only what it costs others is seen.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use anyhow::{Context, Result};
use serde_json::Value;

use super::scene::{Post, Scene};
use crate::answers::Behaviour;
use crate::child::Gateway;

/// How many behaviours are played at once.
const AT_ONCE: usize = 4;

/// Puts every component that must not load into the plugin folder.
pub fn fill(mut gateway: Gateway, corpus: &Path) -> Result<Gateway> {
    let folder = corpus.join("load");
    for entry in std::fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))? {
        let path = entry?.path();
        let component = wat::parse_file(&path).with_context(|| format!("read {}", path.display()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        gateway = gateway.with_plugin_file(&format!("{name}.wasm"), &component)?;
    }
    Ok(gateway)
}

/// The calls. What a list of models or a header of the upstream's asks for is left out: the rig's upstream has neither.
pub fn calls(corpus: &Path) -> Result<Vec<Post>> {
    let file = corpus.join("calls.json");
    let read = || anyhow::Ok(serde_json::from_slice::<Vec<Value>>(&std::fs::read(&file)?)?);
    let rows = read().with_context(|| format!("read {}", file.display()))?;
    Ok(rows.iter().filter(|row| row["with"]["limit"].is_null()).filter_map(call).collect())
}

fn call(row: &Value) -> Option<Post> {
    let model = row["model"].as_str()?;
    let streams = row["with"]["stream"] == Value::Bool(true);
    // The name that the upstream looks for stands where it looks.
    let answer = if streams { Behaviour::Burst } else { Behaviour::Whole };
    let mut body = format!(r#"{{"model":"hostile:{model}","user":"{}","messages":[]"#, answer.model());
    for (name, value) in row["with"].as_object().into_iter().flatten() {
        body += &format!(",{}:{value}", Value::from(name.as_str()));
    }
    body.push('}');
    Some(Post::new(Behaviour::Whole.path(), body))
}

/// Plays them in turn, for as long as it is awaited.
pub async fn play(scene: &Arc<Scene>, calls: Arc<[Post]>) -> Result<()> {
    let next = Arc::new(AtomicUsize::new(0));
    scene
        .again_and_again(AT_ONCE, move |scene, _| {
            let (next, calls) = (next.clone(), calls.clone());
            async move {
                let number = next.fetch_add(1, Relaxed);
                if number > 0 && number % calls.len() == 0 {
                    scene.tell(format!("all {}", calls.len()));
                }
                scene.post(&calls[number % calls.len()]).await
            }
        })
        .await
}
