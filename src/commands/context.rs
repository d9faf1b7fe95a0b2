//! What every verb is given, and what several of them do first.

use std::path::{Path, PathBuf};

use crate::{
    blueprint::{self, Glance, LoadError, Loaded, Selection, Stage, Target},
    cli::Common,
    error::{Error, Kind, chain},
    local::home::{Home, Place},
    ui::Ui,
};

/// The blueprint that is read where none is named.
const DEFAULT: &str = "decouple.yaml";

/// What every verb is given.
pub struct Context {
    /// The flags of every verb.
    pub common: Common,
    /// The terminal.
    pub ui: Ui,
}

impl Context {
    /// Returns the place of the environment that the flags name.
    pub(super) fn place(&self) -> Result<Place, Error> {
        Ok(Self::home()?.environment(&self.common.env))
    }

    /// Returns the place of a local environment that must exist.
    pub(super) fn existing_place(&self) -> Result<Place, Error> {
        let place = self.place()?;
        if place.exists() {
            return Ok(place);
        }
        let name = &self.common.env;
        Err(Error::new(Kind::NotFound, format!("there is no environment `{name}` on the local target"))
            .hint(format!("bring it up: {}", self.command("up")))
            .hint("see what there is: decouple list"))
    }

    /// Returns what the flags, and else the blueprint, say about which environment is meant.
    pub(super) fn glance(&self) -> Result<Glance, Error> {
        let file = self.common.blueprint.clone().or_else(default_file);
        let mut glance = match file {
            Some(file) => blueprint::glance(&file).map_err(load_error)?,
            None => Glance::default(),
        };
        glance.target = self.common.target.or(glance.target);
        Ok(glance)
    }

    /// Returns the target that is meant.
    pub(super) fn target(&self) -> Result<Target, Error> {
        match self.common.target {
            Some(target) => Ok(target),
            None => Ok(self.glance()?.target.unwrap_or(Target::Local)),
        }
    }

    /// Writes a command that can be pasted anywhere: about this environment, and no other, whatever names it.
    pub(super) fn command(&self, verb: &str) -> String {
        let Common { blueprint, env, stage, region, profile, .. } = &self.common;
        let aws = self.target().is_ok_and(|target| target == Target::Aws).then(|| Target::Aws.name().to_owned());
        let blueprint = blueprint.as_ref().map(|file| file.to_string_lossy().into_owned());
        // Only what makes an environment asks which stage it is.
        let stage = stage.filter(|_| verb == "up").map(|stage| stage.name().to_owned());
        let flags = [
            ("--env", Some(env)),
            ("--stage", stage.as_ref()),
            ("--blueprint", blueprint.as_ref()),
            ("--target", aws.as_ref()),
            ("--region", region.as_ref().filter(|_| aws.is_some())),
            ("--profile", profile.as_ref().filter(|_| aws.is_some())),
        ];
        let mut command = format!("decouple {verb}");
        for (flag, value) in flags.iter().filter_map(|(flag, value)| Some((flag, (*value)?))) {
            // What no shell takes cannot have come from one.
            let quoted = shlex::try_quote(value).unwrap_or_default();
            command.extend([" ", flag, " ", &quoted]);
        }
        command
    }

    /// Returns the directory of every local environment.
    pub(super) fn home() -> Result<Home, Error> {
        Home::find().map_err(|error| Error::new(Kind::Usage, error.to_string()))
    }

    /// Reads the blueprint that the flags select, and shows its warnings.
    pub(super) fn blueprint(&self, named: Option<&Path>) -> Result<Loaded, Error> {
        let file = named.map(Path::to_owned).or_else(|| self.common.blueprint.clone()).or_else(default_file);
        let stage = self.common.stage.or_else(|| file.is_none().then(|| self.stage_that_runs()).flatten());
        if file.is_none() && stage.is_none() {
            return Err(Error::new(Kind::Usage, "no stage is chosen, and there is no decouple.yaml here")
                .hint("choose one: --stage elb, --stage elb-sqs or --stage sns-sqs"));
        }
        let selection = Selection { file: file.as_deref(), stage, target: self.common.target };
        let loaded = blueprint::load(&selection).map_err(load_error)?;
        self.ui.warn(&loaded.warnings);
        Ok(loaded)
    }

    /// `up` again without a flag means the stage that is up already.
    fn stage_that_runs(&self) -> Option<Stage> {
        let plan = crate::local::plan::Plan::read(&self.place().ok()?.plan()).ok()?;
        Stage::ALL.into_iter().find(|stage| stage.name() == plan.stage)
    }
}

fn default_file() -> Option<PathBuf> {
    let path = PathBuf::from(DEFAULT);
    path.is_file().then_some(path)
}

fn load_error(error: LoadError) -> Error {
    match error {
        LoadError::Invalid(diagnostics) => {
            let mistakes = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
            let files: Vec<&str> = diagnostics
                .iter()
                .filter_map(|diagnostic| diagnostic.place.as_ref())
                .map(|place| place.file.as_str())
                .collect();
            let file = files.first().copied().unwrap_or("the blueprint");
            let plural = if mistakes == 1 { "mistake" } else { "mistakes" };
            let mut error = Error::new(Kind::Blueprint, format!("{mistakes} {plural} in {file}"));
            error.diagnostics = diagnostics;
            error
        }
        error => Error::new(Kind::Blueprint, chain(&error)),
    }
}
