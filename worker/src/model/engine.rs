//! Runs an image classifier: ONNX Runtime where its library is to be had, else an engine in pure Rust that is three times
//! slower and gives the same answers.

use std::{
    env,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use ort::{session::Session, value::Tensor};
use tract_onnx::prelude::*;

use super::ModelError;

/// Shape of what the model looks at.
const SHAPE: [usize; 4] = [1, 3, 224, 224];
const RUNTIME: &str = "ONNX Runtime";
const TRACT: &str = "tract";

type Plan = Arc<TypedRunnableModel>;

/// What runs a model.
pub(super) enum Engine {
    /// A session runs one input at a time.
    OnnxRuntime(Mutex<Session>),
    Tract(Plan),
}

impl Engine {
    /// Takes the fastest engine that there is.
    pub(super) fn load(model: &[u8]) -> Result<Self, ModelError> {
        let Some(path) = runtime_path() else {
            tracing::warn!(
                "libonnxruntime.so is neither beside the worker nor in ORT_DYLIB_PATH: tagging with the slower pure-Rust engine"
            );
            return Self::tract(model);
        };
        Self::onnx_runtime(&path, model).or_else(|error| {
            tracing::warn!(%error, path = %path.display(), "tagging with the slower pure-Rust engine");
            Self::tract(model)
        })
    }

    pub(super) fn onnx_runtime(library: &Path, model: &[u8]) -> Result<Self, ModelError> {
        let says = |why: String| ModelError::Engine { engine: RUNTIME, why };
        let environment = ort::init_from(library)
            .map_err(|error| says(error.to_string()))?
            .with_telemetry(false)
            .build()
            .map_err(|error| says(error.to_string()))?;
        // Photos are worked on side by side, so one thread each gives the most photos a second.
        let session = Session::builder(&environment)
            .map_err(|error| says(error.to_string()))?
            .with_intra_threads(1)
            .map_err(|error| says(error.to_string()))?
            .commit_from_memory(model)
            .map_err(|error| says(error.to_string()))?;
        Ok(Self::OnnxRuntime(Mutex::new(session)))
    }

    pub(super) fn tract(model: &[u8]) -> Result<Self, ModelError> {
        let plan = || -> TractResult<Plan> {
            tract_onnx::onnx()
                .model_for_read(&mut std::io::Cursor::new(model))?
                .with_input_fact(0, f32::fact(SHAPE).into())?
                .into_optimized()?
                .into_runnable()
        };
        plan().map(Self::Tract).map_err(|error| ModelError::Engine { engine: TRACT, why: format!("{error:#}") })
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::OnnxRuntime(_) => RUNTIME,
            Self::Tract(_) => TRACT,
        }
    }

    /// Returns the probability of each class.
    pub(super) fn run(&self, input: Vec<f32>) -> Result<Vec<f32>, ModelError> {
        match self {
            Self::OnnxRuntime(session) => {
                let run = || -> ort::Result<Vec<f32>> {
                    // A session that another thread left in the middle of a run starts the next one afresh.
                    let mut session = session.lock().unwrap_or_else(PoisonError::into_inner);
                    let outputs = session.run(ort::inputs![Tensor::from_array((SHAPE, input))?])?;
                    let (_, probabilities) = outputs[0].try_extract_tensor::<f32>()?;
                    Ok(probabilities.to_vec())
                };
                run().map_err(|error| ModelError::Engine { engine: RUNTIME, why: error.to_string() })
            }
            Self::Tract(plan) => {
                let run = || -> TractResult<Vec<f32>> {
                    let input = tract_ndarray::Array4::from_shape_vec((SHAPE[0], SHAPE[1], SHAPE[2], SHAPE[3]), input)?;
                    let outputs = plan.run(tvec!(input.into_tensor().into()))?;
                    let probabilities = outputs[0].to_plain_array_view::<f32>()?.iter().copied().collect();
                    Ok(probabilities)
                };
                run().map_err(|error| ModelError::Engine { engine: TRACT, why: format!("{error:#}") })
            }
        }
    }
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
