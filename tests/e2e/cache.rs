//! The cache of compiled components can be missing, full, foreign or changed: providers serve without it, and nothing of
//! it is run that this gateway did not write. And what does not load says why, wherever it is asked for.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;
use std::sync::Arc;

use bitrouter_tests::{Disk, Gateway, Setup, Upstream, component};
use serde_json::json;

fn serves(setup: &Arc<Setup>) -> Gateway {
    let gateway = Gateway::in_home(setup);
    gateway.chat(&json!({"model": "openai:gpt-4o", "messages": []})).status(200);
    gateway
}

/// Every command about a provider knows it.
fn knows_openai(setup: &Setup) {
    setup.command(&["providers"]).ok().says("openai");
    setup.command(&["route", "openai:gpt-4o"]).ok().says("openai");
    setup.command(&["models", "--provider", "openai"]).ok().says("gpt-4o");
}

#[test]
fn a_cache_that_cannot_be_used_takes_no_provider_away() {
    let upstream = Upstream::start();
    let home = || Arc::new(Gateway::start().with_openai_at(&upstream));
    let no_folder = home();
    fs::write(no_folder.home().join("cache"), "a file").unwrap();
    let everybodys = home();
    let cache = everybodys.home().join("cache");
    fs::create_dir(&cache).unwrap();
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).unwrap();
    for setup in [no_folder, everybodys] {
        serves(&setup).logs("compiled components are not kept for the next start");
        knows_openai(&setup);
        assert!(!setup.home().join("cache/components").join("x").exists());
    }
}

#[test]
fn a_full_disk_takes_no_provider_away() {
    let Some(disk) = Disk::of(4) else { return };
    let upstream = Upstream::start();
    let setup = Gateway::start().with_openai_at(&upstream);
    symlink(disk.folder(), setup.home().join("cache")).unwrap();
    fs::create_dir(disk.folder().join("components")).unwrap();
    disk.fill();
    let setup = Arc::new(setup);
    serves(&setup).logs("machine code is not kept");
    knows_openai(&setup);
}

#[test]
fn what_stands_in_the_cache_and_was_not_written_by_this_gateway_is_not_run() {
    let upstream = Upstream::start();
    let setup = Arc::new(Gateway::start().with_openai_at(&upstream));
    drop(serves(&setup));
    let files = || fs::read_dir(setup.home().join("cache/components")).unwrap().map(|entry| entry.unwrap().path());
    let kept: Vec<_> = files().map(|file| (fs::read(&file).unwrap(), file)).collect();
    assert!(kept.len() >= 2, "code and descriptions: {kept:.0?}");
    for (content, file) in &kept {
        let mut changed = content.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        fs::write(file, changed).unwrap();
    }
    serves(&setup).logs("not as this gateway wrote it: it is made again");
    // It was made again, and is good for the next start.
    assert!(!serves(&setup).log().contains("not as this gateway wrote it"));
    // All of another gateway's cache, with its code for the same components.
    let other = Arc::new(Gateway::start().with_openai_at(&upstream));
    let theirs = other.home().join("cache/components");
    fs::create_dir_all(&theirs).unwrap();
    for file in files() {
        fs::copy(&file, theirs.join(file.file_name().unwrap())).unwrap();
    }
    serves(&other).logs("not as this gateway wrote it: it is made again");
    // Without the key nothing of it counts, and with another nothing of that.
    fs::remove_file(setup.home().join("cache.key")).unwrap();
    serves(&setup).logs("not as this gateway wrote it: it is made again");
    assert_eq!(fs::metadata(setup.home().join("cache.key")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_component_that_does_not_load_says_why_in_every_command_about_it() {
    let whole = component("echo");
    let setup = Gateway::start().without_config().with_plugin_file("broken.wasm", &whole[..whole.len() / 2]);
    let why = "damaged WebAssembly component";
    setup.command(&["login", "broken"]).fails().says("broken").says(why);
    setup.command(&["models", "--provider", "broken"]).fails().says(why);
    setup.command(&["providers"]).ok().says(why);
    setup.command(&["plugin", "list"]).ok().says(why);
    let gateway = setup.run();
    gateway.logs(why);
    gateway.chat(&json!({"model": "broken:x", "messages": []})).status(503).says(why);
}

#[test]
fn a_plugin_folder_with_pipes_devices_and_huge_files_holds_nothing_up() {
    let upstream = Upstream::start();
    let setup =
        Gateway::start().with_openai_at(&upstream).with_plugin("echo").with_origin("echo", &upstream).trusting("echo");
    let place = |name: &str| setup.plugin(name);
    assert!(Command::new("mkfifo").arg(place("pipe.wasm")).status().unwrap().success());
    symlink("/dev/zero", place("zero.wasm")).unwrap();
    symlink("pipe.wasm", place("link.wasm")).unwrap();
    fs::create_dir(place("folder.wasm")).unwrap();
    fs::File::create(place("huge.wasm")).unwrap().set_len(1 << 40).unwrap();
    let list = setup.command(&["plugin", "list"]).ok();
    for (file, reason) in [
        ("pipe.wasm", "not a regular file"),
        ("zero.wasm", "not a regular file"),
        ("link.wasm", "not a regular file"),
        ("folder.wasm", "not a regular file"),
        ("huge.wasm", "1099511627776 bytes"),
    ] {
        list.clone().says(file).says(reason);
    }
    let gateway = setup.run();
    gateway.chat(&json!({"model": "echo:echo-1", "messages": []})).status(200);
}
