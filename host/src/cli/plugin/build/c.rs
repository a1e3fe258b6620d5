//! C: bindings by wit-bindgen, in this process; then `zig cc`, or a clang that has WASI's C library. The module imports no WASI
//! unless its code opens files or the like. Zig's recipe takes the compiler from here.

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::contract::{self, Contract, MADE};
use super::{Made, Project, Recipe, Tool};

/// What installs a compiler with all that it takes.
const INSTALL: &str = "pip install ziglang==0.17.1  (or, on Debian or Ubuntu, as root: apt-get install clang-19 lld-19 wasi-libc \
                       libclang-rt-19-dev-wasm32)";
/// Where a project has the SDK.
const SDK: &str = "vendor";

pub(super) struct C;

impl Recipe for C {
    fn told_by(&self) -> &'static str {
        "*.c with wit/world.wit (C)"
    }

    fn is_of(&self, project: &Project) -> bool {
        project.has("wit/world.wit") && !project.ending_in("c").is_empty()
    }

    fn build(&self, project: &Project) -> Result<Made, Box<dyn Error>> {
        let name = contract::name(project)?;
        let bindings = bindings(project)?;
        let output = project.at(MADE).join("module.wasm");
        let warnings = ["-Wall", "-Wextra", "-Wno-unused-parameter"].map(OsString::from);
        let mut args: Vec<OsString> = ["-std=gnu2x", "-Os", "-s"].map(OsString::from).into();
        args.extend(warnings);
        args.extend(flags(project, &bindings)?);
        args.push(portable(project));
        args.extend(project.ending_in("c").into_iter().map(OsString::from));
        args.extend(sources(project, &bindings).into_iter().map(OsString::from));
        args.extend(["-o".into(), output.clone().into()]);
        compiler(project)?.args(args).run()?;
        let module = fs::read(&output).map_err(|error| format!("{} cannot be read: {error}", output.display()))?;
        Ok(Made::Module { name, module })
    }
}

/// Writes the bindings of C and the description as a file of C; answers their folder.
pub(super) fn bindings(project: &Project) -> Result<PathBuf, Box<dyn Error>> {
    let options = wit_bindgen_c::Opts {
        rename_world: Some(contract::WORLD.into()),
        // Every argument is a pointer to what the contract says, and every result one to where it goes: one shape for all hooks.
        no_sig_flattening: true,
        // The document that a hook is lent is given back behind it.
        autodrop_borrows: wit_bindgen_c::Enabled::Yes,
        ..Default::default()
    };
    let folder = Contract::of(project)?.bindings(project, MADE, options.build(), |_, bytes| bytes)?;
    let description = project.read("description.json")?;
    let bytes: Vec<String> = description.bytes().map(|byte| byte.to_string()).collect();
    let text = format!(
        "// description.json, which `describe` answers. Made by `bitrouter plugin build`.\n#include \"bitrouter.h\"\n\n\
         static const unsigned char description[] = {{{}}};\n\n\
         void exports_bitrouter_provider_provider_describe(bitrouter_string_t *ret) {{\n    \
         bitrouter_string_dup_n(ret, (const char *)description, sizeof description);\n}}\n",
        bytes.join(",")
    );
    contract::write(&folder.join("description.c"), text.as_bytes())?;
    Ok(folder)
}

/// What keeps the folders of this machine out of the component, whose digest should not depend on where it was built. For a
/// compiler of C: what only reads headers does not know it.
pub(super) fn portable(project: &Project) -> OsString {
    let mut portable = OsString::from("-ffile-prefix-map=");
    portable.push(project.folder());
    portable.push("/=");
    portable
}

/// Where headers are, and what the SDK's files are told of the project's world.
pub(super) fn flags(project: &Project, bindings: &Path) -> Result<Vec<OsString>, Box<dyn Error>> {
    let mut flags: Vec<OsString> = vec!["-I".into(), bindings.into(), "-I".into(), project.at(SDK).into()];
    let exports = Contract::of(project)?.exports();
    flags.extend(exports.iter().map(|name| format!("-DEXPORTS_{}", name.to_uppercase()).into()));
    Ok(flags)
}

/// What is compiled and linked beside the project's own files: the SDK, which includes the bindings, the description and the types of
/// the world.
pub(super) fn sources(project: &Project, bindings: &Path) -> Vec<PathBuf> {
    let sdk = ["bindings.c", "hooks.c", "json.c", "memory.c", "provider.c"].map(|name| project.at(SDK).join(name));
    let made = ["description.c", "bitrouter_component_type.o"].map(|name| bindings.join(name));
    sdk.into_iter().chain(made).collect()
}

/// `zig`, by itself or as the package of Python.
pub(super) fn zig(project: &Project, install: &'static str) -> Option<impl Fn() -> Tool> {
    let folder = project.folder().to_owned();
    let of_venv = [".venv/bin/python", ".venv/Scripts/python.exe"].map(|place| project.at(place));
    let of_venv = of_venv.into_iter().find(|python| python.is_file());
    let python = of_venv.unwrap_or_else(|| PathBuf::from("python3"));
    let ways = [(PathBuf::from("zig"), &[][..]), (python, &["-m", "ziglang"][..])];
    let (program, first) = ways.into_iter().find(|(program, first)| {
        Tool::new(program, &folder, install).args(*first).args(["version"]).answer().is_some()
    })?;
    Some(move || Tool::new(&program, &folder, install).args(first))
}

/// A compiler of C for WASI.
fn compiler(project: &Project) -> Result<Tool, Box<dyn Error>> {
    let reactor = "-mexec-model=reactor";
    if let Some(zig) = zig(project, INSTALL) {
        return Ok(zig().args(["cc", "-target", "wasm32-wasi", reactor]));
    }
    // Debian's library is there, where its clang does not look by itself.
    let sysroot = Path::new("/usr/lib/wasm32-wasi/crt1-reactor.o").is_file().then_some("--sysroot=/usr");
    let target = || std::iter::once("--target=wasm32-wasi").chain(sysroot);
    let clangs = ["clang", "clang-22", "clang-21", "clang-20", "clang-19"];
    let clang = clangs.into_iter().find(|clang| {
        let asked = target().chain(["-print-file-name=crt1-reactor.o"]);
        let found = Tool::new(clang, project.folder(), INSTALL).args(asked).answer();
        // Without the library it answers the name as it was asked.
        found.is_some_and(|found| Path::new(&found).is_absolute())
    });
    match clang {
        Some(clang) => Ok(Tool::new(clang, project.folder(), INSTALL).args(target()).args([reactor])),
        None => Err(format!("no compiler of C for WebAssembly was found. Run: {INSTALL}").into()),
    }
}
