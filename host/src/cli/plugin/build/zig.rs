//! Zig: the bindings of C, which Zig translates; the module imports no WASI.

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use super::contract::{self, MADE};
use super::{Made, Project, Recipe, c};

const INSTALL: &str = "pip install ziglang==0.17.1  (or see https://ziglang.org/download)";
/// The project's root, which is its first file.
const ROOT: &str = "provider.zig";

pub(super) struct Zig;

impl Recipe for Zig {
    fn told_by(&self) -> &'static str {
        "provider.zig (Zig)"
    }

    fn is_of(&self, project: &Project) -> bool {
        project.has(ROOT)
    }

    fn build(&self, project: &Project) -> Result<Made, Box<dyn Error>> {
        let zig = c::zig(project, INSTALL).ok_or_else(|| format!("zig is not installed. Run: {INSTALL}"))?;
        let name = contract::name(project)?;
        let bindings = c::bindings(project)?;
        let target = ["-target", "wasm32-wasi", "-lc"];
        let flags = c::flags(project, &bindings)?;
        let translate = zig().args(["translate-c"]).args(target).args(&flags);
        let translated = translate.args([project.at("vendor/zig.h")]).run()?;
        let translation = bindings.join("c.zig");
        contract::write(&translation, translated.as_bytes())?;
        let output = project.at(MADE).join("module.wasm");
        let module = |name: &str, file: &Path| {
            let mut argument = OsString::from(format!("-M{name}="));
            argument.push(file);
            argument
        };
        let mut args: Vec<OsString> = Vec::new();
        args.extend(
            ["build-exe", "-fno-entry", "-rdynamic", "-mexec-model=reactor", "-OReleaseSmall", "-fstrip"]
                .map(OsString::from),
        );
        args.extend(target.map(OsString::from));
        args.extend(["-cflags", "-std=gnu2x"].map(OsString::from));
        args.extend(flags);
        args.push(c::portable(project));
        args.push("--".into());
        args.extend(c::sources(project, &bindings).into_iter().map(OsString::from));
        // What a module imports stands before it.
        args.extend(["--dep".into(), "bitrouter".into(), module("root", &project.at(ROOT))]);
        args.extend(["--dep".into(), "c".into(), module("bitrouter", &project.at("vendor/bitrouter.zig"))]);
        args.push(module("c", &translation));
        let mut emit = OsString::from("-femit-bin=");
        emit.push(&output);
        args.push(emit);
        zig().args(args).run()?;
        let module = fs::read(&output).map_err(|error| format!("{} cannot be read: {error}", output.display()))?;
        Ok(Made::Module { name, module })
    }
}
