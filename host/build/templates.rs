//! Puts what `bitrouter plugin new` writes into the binary: of each language the files of `sdk/LANGUAGE/template`, and what
//! `sdk/LANGUAGE/vendor.json` says goes beside them: which file or folder of this repository, and where in the project.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// What tools leave in a folder that somebody tried a template in.
const LEFT_BEHIND: [&str; 5] = ["target", "node_modules", "__pycache__", "zig-cache", ".zig-cache"];

/// The table as Rust: language, files that are filled in, files that are copied as they are.
pub(crate) fn table(workspace: &Path) -> Result<String, Box<dyn Error>> {
    let sdk = workspace.join("sdk");
    println!("cargo::rerun-if-changed={}", sdk.display());
    let mut languages: Vec<PathBuf> =
        fs::read_dir(&sdk)?.map(|entry| Ok(entry?.path())).collect::<Result<_, Box<dyn Error>>>()?;
    languages.retain(|folder| folder.join("template").is_dir());
    languages.sort();
    let mut items = String::new();
    for folder in languages {
        let language = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut filled = Vec::new();
        files(&folder.join("template"), "", &mut filled)?;
        let mut copied = Vec::new();
        let vendored = folder.join("vendor.json");
        if vendored.is_file() {
            let vendored: BTreeMap<String, String> = pairs(&fs::read_to_string(&vendored)?)
                .ok_or_else(|| format!("{} is no object of texts", vendored.display()))?;
            for (source, place) in vendored {
                let source = workspace.join(source);
                match source.is_dir() {
                    true => files(&source, &place, &mut copied)?,
                    false => copied.push((place, source)),
                }
            }
        }
        let listed = |files: &[(String, PathBuf)]| -> String {
            files.iter().map(|(name, file)| format!("({name:?}, include_bytes!({file:?})), ")).collect()
        };
        writeln!(
            items,
            "    Template {{ language: {language:?}, filled: &[{}], copied: &[{}] }},",
            listed(&filled),
            listed(&copied)
        )?;
    }
    Ok(format!("static TEMPLATES: &[Template] = &[\n{items}];\n"))
}

/// The files below a folder, in order: their place in the project, and where they are.
fn files(folder: &Path, place: &str, found: &mut Vec<(String, PathBuf)>) -> Result<(), Box<dyn Error>> {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_, Box<dyn Error>>>()?;
    entries.sort();
    for entry in entries {
        let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let below = if place.is_empty() { name.clone() } else { format!("{place}/{name}") };
        match entry.is_dir() {
            true if LEFT_BEHIND.contains(&name.as_str()) => {}
            true => files(&entry, &below, found)?,
            false => found.push((below, entry)),
        }
    }
    Ok(())
}

/// The members of a flat JSON object of texts without escapes: a whole reader would be a build dependency for a few lines.
fn pairs(json: &str) -> Option<BTreeMap<String, String>> {
    let texts: Vec<&str> = json.split('"').skip(1).step_by(2).collect();
    let (pairs, rest) = texts.as_chunks::<2>();
    (rest.is_empty() && !json.contains('\\'))
        .then(|| pairs.iter().map(|[name, value]| ((*name).into(), (*value).into())).collect())
}
