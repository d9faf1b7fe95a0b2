//! Runs an image classifier: ONNX Runtime where its library is to be had, else an engine in pure Rust that is three times
//! slower and gives the same answers.

use std::{
    env,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError, TryLockError},
    thread,
};

use ort::{environment::Environment, session::Session, value::Tensor};
use rten::Model;
use rten_tensor::{NdTensor, Tensor as RtenTensor};

use super::ModelError;

/// Shape of what the model looks at.
const SHAPE: [usize; 4] = [1, 3, 224, 224];
const RUNTIME: &str = "ONNX Runtime";
const RTEN: &str = "RTen";

/// What runs a model. Threads share it.
pub(super) enum Engine {
    /// A session runs one input at a time, so there is one for each core.
    OnnxRuntime(Vec<Mutex<Session>>),
    Rten(Box<Model>),
}

impl Engine {
    /// Takes the fastest engine that there is.
    pub(super) fn load(model: &[u8]) -> Result<Self, ModelError> {
        let Some(path) = runtime_path() else {
            tracing::warn!(
                "libonnxruntime.so is neither beside the worker nor in ORT_DYLIB_PATH: tagging with the slower pure-Rust engine"
            );
            return Self::rten(model);
        };
        Self::onnx_runtime(&path, model).or_else(|error| {
            tracing::warn!(%error, path = %path.display(), "tagging with the slower pure-Rust engine");
            Self::rten(model)
        })
    }

    pub(super) fn onnx_runtime(library: &Path, model: &[u8]) -> Result<Self, ModelError> {
        let says = |why: String| ModelError::Engine { engine: RUNTIME, why };
        let environment = environment(library)?;
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let sessions = (0..cores).map(|_| session(environment, model).map(Mutex::new)).collect::<ort::Result<_>>();
        sessions.map(Self::OnnxRuntime).map_err(|error| says(error.to_string()))
    }

    pub(super) fn rten(model: &[u8]) -> Result<Self, ModelError> {
        let model = Model::load(model.to_vec());
        model.map(|model| Self::Rten(Box::new(model))).map_err(|error| rten_says(&error))
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::OnnxRuntime(_) => RUNTIME,
            Self::Rten(_) => RTEN,
        }
    }

    /// Returns the probability of each class.
    pub(super) fn run(&self, input: Vec<f32>) -> Result<Vec<f32>, ModelError> {
        match self {
            Self::OnnxRuntime(sessions) => run_session(&mut free(sessions), input)
                .map_err(|error| ModelError::Engine { engine: RUNTIME, why: error.to_string() }),
            Self::Rten(model) => {
                let input = NdTensor::from_data(SHAPE, input);
                let output = model.run_one((&input).into(), None).map_err(|error| rten_says(&error))?;
                let probabilities: RtenTensor<f32> = output.try_into().map_err(|error| rten_says(&error))?;
                Ok(probabilities.into_data())
            }
        }
    }
}

/// Returns the process's environment; there may be only one, and it stays with the library that it was made from.
fn environment(library: &Path) -> Result<&'static Environment, ModelError> {
    static MAKING: Mutex<()> = Mutex::new(());
    static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
    let _alone = MAKING.lock();
    if let Some(made) = ENVIRONMENT.get() {
        return Ok(made);
    }
    let says = |error: &dyn std::fmt::Display| ModelError::Engine { engine: RUNTIME, why: error.to_string() };
    let builder = ort::init_from(library).map_err(|error| says(&error))?.with_telemetry(false);
    let made = builder.build().map_err(|error| says(&error))?;
    Ok(ENVIRONMENT.get_or_init(|| made))
}

/// Photos are worked on side by side, so one thread each gives the most photos a second.
fn session(environment: &Environment, model: &[u8]) -> ort::Result<Session> {
    Session::builder(environment)?.with_intra_threads(1)?.commit_from_memory(model)
}

/// Takes a session that nobody uses; where each is in use, waits for the first.
fn free(sessions: &[Mutex<Session>]) -> MutexGuard<'_, Session> {
    // A session that another thread left in the middle of a run starts the next one afresh.
    let unused = sessions.iter().find_map(|session| match session.try_lock() {
        Ok(session) => Some(session),
        Err(TryLockError::Poisoned(session)) => Some(session.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    });
    unused.unwrap_or_else(|| sessions[0].lock().unwrap_or_else(PoisonError::into_inner))
}

fn run_session(session: &mut Session, input: Vec<f32>) -> ort::Result<Vec<f32>> {
    let outputs = session.run(ort::inputs![Tensor::from_array((SHAPE, input))?])?;
    let (_, probabilities) = outputs[0].try_extract_tensor::<f32>()?;
    Ok(probabilities.to_vec())
}

fn rten_says(error: &dyn std::fmt::Display) -> ModelError {
    ModelError::Engine { engine: RTEN, why: error.to_string() }
}

/// Finds ONNX Runtime's library: where `ORT_DYLIB_PATH` says, else beside the executable.
pub(super) fn runtime_path() -> Option<PathBuf> {
    if let Some(set) = env::var_os("ORT_DYLIB_PATH").filter(|set| !set.is_empty()) {
        return Some(PathBuf::from(set)).filter(|path| path.is_file());
    }
    let executable = env::current_exe().ok()?;
    // Test executables stand one directory deeper than programs.
    let directories = executable.ancestors().skip(1).take(2);
    directories.map(|directory| directory.join("libonnxruntime.so")).find(|path| path.is_file())
}
