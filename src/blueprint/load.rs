//! From a file to a checked blueprint: read, lay over the built-in, check everything, and only then believe it.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use decouple_contract::Role;
use serde_json::{Map, Value};

use super::{
    built_in, checks,
    diagnostic::{self, Diagnostic, Places, join},
    merge,
    model::{Blueprint, Stage, Target},
    structure,
    yaml::{self, Document},
};

/// Largest file that is read. A blueprint has a few thousand bytes.
const MAX_BYTES: u64 = 1_000_000;

/// What the command line says about the blueprint.
#[derive(Debug, Clone, Copy, Default)]
pub struct Selection<'a> {
    /// The file; without it the built-in blueprint of the stage is all there is.
    pub file: Option<&'a Path>,
    /// A stage in place of the file's.
    pub stage: Option<Stage>,
    /// A target in place of the file's.
    pub target: Option<Target>,
}

/// A checked blueprint.
#[derive(Debug)]
pub struct Loaded {
    /// The blueprint, whole. Its paths are absolute.
    pub blueprint: Blueprint,
    /// Where the file says what.
    pub places: Places,
    /// What is probably not meant, though it can be done.
    pub warnings: Vec<Diagnostic>,
    /// The directory that the file's paths are relative to.
    pub base_dir: PathBuf,
}

/// Why there is no blueprint.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("the blueprint {} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is far too long to be a blueprint.
    #[error("{} is longer than {MAX_BYTES} bytes and no blueprint", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// The file has mistakes: all of them, in its order, warnings included.
    #[error("the blueprint is not valid")]
    Invalid(Vec<Diagnostic>),
}

/// Reads and checks the blueprint that is selected.
pub fn load(selection: &Selection<'_>) -> Result<Loaded, LoadError> {
    let Some(path) = selection.file else {
        return check("", "the built-in blueprint", &base_dir(Path::new("")), selection);
    };
    let text = read(path)?;
    check(&text, &path.display().to_string(), &base_dir(path), selection)
}

/// What a file says about which environment is meant, whatever else is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Glance {
    /// Name of the site.
    pub name: Option<String>,
    /// Where it runs.
    pub target: Option<Target>,
}

/// Looks at which environment a file is about. An environment that runs can be looked at, and torn down, while its
/// blueprint is being edited.
pub fn glance(path: &Path) -> Result<Glance, LoadError> {
    let document = yaml::parse(&read(path)?, &path.display().to_string())
        .map_err(|diagnostic| LoadError::Invalid(vec![*diagnostic]))?;
    let text = |key: &str| document.value.get(key).and_then(Value::as_str);
    let target = text("target").and_then(|name| Target::ALL.into_iter().find(|target| target.name() == name));
    Ok(Glance { name: text("name").map(ToOwned::to_owned), target })
}

fn read(path: &Path) -> Result<String, LoadError> {
    let error = |source| LoadError::Read { path: path.to_owned(), source };
    let mut text = String::new();
    let file = File::open(path).map_err(error)?;
    // One byte more than allowed tells a long file from one that just fits, and a device never ends.
    let length = file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(error)?;
    if u64::try_from(length).is_ok_and(|length| length > MAX_BYTES) {
        return Err(LoadError::TooLong { path: path.to_owned() });
    }
    Ok(text)
}

fn base_dir(path: &Path) -> PathBuf {
    let directory = path.parent().unwrap_or(path);
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    // Where the working directory is gone, a relative path is the best there is.
    std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned())
}

/// Checks the text of a file. Everything but the paths that it names is decided here without looking at the disk.
pub(super) fn check(text: &str, file: &str, base_dir: &Path, selection: &Selection<'_>) -> Result<Loaded, LoadError> {
    let document = yaml::parse(text, file).map_err(|diagnostic| LoadError::Invalid(vec![*diagnostic]))?;
    let Document { value: mut user, places, mut diagnostics } = document;
    if !user.is_object() {
        diagnostics.push(Diagnostic::error("a blueprint must be a map of keys and values", places.of("").cloned()));
        user = Value::Object(Map::new());
    }

    let stage = stage(&user, &places, selection, &mut diagnostics);
    let mut whole = base(stage, &user);
    merge::over(&mut whole, &user);
    // What the command line says has the last word, whatever stands in the file; a stage that is no stage was told already.
    let selected = [("stage", Some(stage.name())), ("target", selection.target.map(Target::name))];
    for (key, name) in selected {
        if let (Value::Object(whole), Some(name)) = (&mut whole, name) {
            whole.insert(key.to_owned(), name.into());
        }
    }

    diagnostics.extend(structure::check(&whole, &places));
    checks::check(&whole, stage, &places, base_dir, &mut diagnostics);
    drop_foreign(&mut whole, &user, stage, &places, selection, &mut diagnostics);
    diagnostic::sort(&mut diagnostics);
    if diagnostics.iter().any(Diagnostic::is_error) {
        return Err(LoadError::Invalid(diagnostics));
    }
    let mut blueprint: Blueprint = serde_json::from_value(whole)
        .map_err(|error| LoadError::Invalid(vec![Diagnostic::error(error.to_string(), None)]))?;
    make_absolute(&mut blueprint, base_dir);
    Ok(Loaded { blueprint, places, warnings: diagnostics, base_dir: base_dir.to_owned() })
}

/// Finds the stage. Where there is none, the other mistakes are looked for as if it were the last, which has most.
fn stage(user: &Value, places: &Places, selection: &Selection<'_>, diagnostics: &mut Vec<Diagnostic>) -> Stage {
    let names: Vec<&str> = Stage::ALL.into_iter().map(Stage::name).collect();
    let written = user.get("stage");
    let known =
        written.and_then(Value::as_str).and_then(|name| Stage::ALL.into_iter().find(|stage| stage.name() == name));
    let place = places.nearest("/stage").cloned();
    let error = match written {
        Some(Value::Null) | None if selection.stage.is_none() => Diagnostic::error("no stage is chosen", place)
            .help(format!("write `stage:` with {}, or use `--stage`", structure::list(&names, "or"))),
        Some(written) if !written.is_null() && known.is_none() => {
            let error = Diagnostic::error(format!("`stage` must be {}", structure::list(&names, "or")), place);
            match written.as_str().and_then(|name| structure::did_you_mean(name, &names)) {
                Some(help) => error.help(help),
                None => error,
            }
        }
        _ => return selection.stage.or(known).unwrap_or(Stage::SnsSqs),
    };
    diagnostics.push(error);
    selection.stage.unwrap_or(Stage::SnsSqs)
}

/// Returns the built-in blueprint of a stage, and of the user's further groups and queues that of a stage which has them.
fn base(stage: Stage, user: &Value) -> Value {
    let read = |stage| yaml::parse(built_in(stage), stage.name()).map(|document| document.value).unwrap_or_default();
    let mut base = read(stage);
    let sections = ["groups", "queues"];
    for role in Role::ALL.into_iter().filter(|role| !stage.roles().contains(role)) {
        let home = Stage::ALL.into_iter().find(|stage| stage.roles().contains(&role));
        // A group and its queue are checked against each other, so either brings both.
        let written = sections.iter().any(|section| user.get(section).and_then(|all| all.get(role.name())).is_some());
        let Some(defaults) = home.filter(|_| written).map(read) else { continue };
        for section in sections {
            if let Some(default) = defaults.get(section).and_then(|all| all.get(role.name())) {
                merge::over(&mut base, &serde_json::json!({ section: { role.name(): default } }));
            }
        }
    }
    base
}

/// Takes away the groups and queues of other stages. With `--stage` one file serves several stages, and that is meant.
fn drop_foreign(
    whole: &mut Value,
    user: &Value,
    stage: Stage,
    places: &Places,
    selection: &Selection<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for (section, thing) in [("groups", "group"), ("queues", "queue")] {
        for role in Role::ALL.into_iter().filter(|role| !stage.roles().contains(role)) {
            if let Some(all) = whole.get_mut(section).and_then(Value::as_object_mut) {
                all.shift_remove(role.name());
            }
            let pointer = join(&join("", section), role.name());
            let known = section == "groups" || role.consumes();
            if known && selection.stage.is_none() && user.pointer(&pointer).is_some_and(|value| !value.is_null()) {
                let has = |role: &&Role| section == "groups" || role.consumes();
                let names: Vec<&str> = stage.roles().iter().filter(has).map(|role| role.name()).collect();
                let message = format!("stage `{}` has no {thing} `{role}`: it is left out", stage.name());
                diagnostics.push(
                    Diagnostic::warning(message, places.key(&pointer).cloned())
                        .help(format!("its {section}: {}", structure::list(&names, "and"))),
                );
            }
        }
    }
}

fn make_absolute(blueprint: &mut Blueprint, base_dir: &Path) {
    let paths = [&mut blueprint.worker.path, &mut blueprint.tagging.model, &mut blueprint.tagging.labels];
    for path in paths.into_iter().flatten() {
        *path = base_dir.join(&path).display().to_string();
    }
}
