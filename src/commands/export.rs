//! `decouple export`: the plain CloudFormation, to read, lint, keep, and deploy without decouple.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use clap::{ArgGroup, Args, ValueEnum};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Context,
    aws::{bundle, no_bundle},
};
use crate::{
    blueprint::{Loaded, lower},
    bundle::{Bundle, BundleError},
    cloudformation::{
        self, CAPABILITY, INLINE_LIMIT, Options, PARAMETER_BUCKET, PARAMETER_KEY, PARAMETER_SHA256, permissions,
    },
    error::{Error, Kind},
    topology::Topology,
};

/// Arguments of `export`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["dir", "policy"]))]
pub struct Arguments {
    /// Write template, parameters and worker bundle into this directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Worker bundle to export in place of the one that `up` would ship
    #[arg(long, value_name = "FILE", requires = "dir")]
    bundle: Option<PathBuf>,
    /// Bucket that the bundle will be in [default: left to the deployment]
    #[arg(long, value_name = "BUCKET", requires = "dir")]
    artifact_bucket: Option<String>,
    /// Print the least IAM policy that is needed
    #[arg(long, value_name = "FOR", num_args = 0..=1, default_missing_value = "all")]
    policy: Option<For>,
}

/// Whom a policy is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum For {
    /// Whoever runs decouple, and provisions with permissions of their own
    All,
    /// Whoever runs decouple, where the blueprint names a deployment role
    CommandLine,
    /// The deployment role
    DeploymentRole,
}

/// What was written.
#[derive(Debug, Serialize)]
struct Exported {
    result: &'static str,
    stack: String,
    template: PathBuf,
    parameters: PathBuf,
    bundle: Option<PathBuf>,
    bytes: usize,
    resources: usize,
    #[serde(skip)]
    deploy: String,
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} resources, {} bytes", self.template.display(), self.resources, self.bytes)?;
        writeln!(f, "{}", self.parameters.display())?;
        if let Some(bundle) = &self.bundle {
            writeln!(f, "{}", bundle.display())?;
        }
        write!(f, "\nDeploy it without decouple:\n{}", self.deploy)
    }
}

/// Runs `export`.
pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<u8, Error> {
    let loaded = context.blueprint(None)?;
    let topology = lower(&loaded.blueprint, &context.common.env);
    if let Some(whom) = arguments.policy {
        let policy = policy(&topology, whom, context.common.region.as_deref());
        context.ui.line(&format!("{policy:#}"))?;
        return Ok(0);
    }
    let Some(dir) = &arguments.dir else {
        return Err(Error::new(Kind::Usage, "say what to export: --dir DIR or --policy"));
    };
    let exported = export(context, arguments, &loaded, &topology, dir).await?;
    context.ui.result(&exported)?;
    Ok(0)
}

fn policy(topology: &Topology, whom: For, region: Option<&str>) -> Value {
    use permissions::Holder::{CommandLine, Deployment};
    let holders: &[permissions::Holder] = match whom {
        For::All => &[CommandLine, Deployment],
        For::CommandLine => &[CommandLine],
        For::DeploymentRole => &[Deployment],
    };
    let wanted = permissions::Wanted {
        site: &topology.site,
        region,
        deployment_role: topology.iam.deployment_role.as_deref(),
        boundary: topology.iam.permissions_boundary.as_deref(),
    };
    permissions::policy(&wanted, holders)
}

async fn export(
    context: &Context,
    arguments: &Arguments,
    loaded: &Loaded,
    topology: &Topology,
    dir: &Path,
) -> Result<Exported, Error> {
    let template = cloudformation::synthesize(topology, &Options::default())
        .map_err(|error| Error::new(Kind::Blueprint, error.to_string()))?;
    fs::create_dir_all(dir).map_err(|error| cannot_write(dir, &error))?;
    let bundle = shipped(context, arguments, loaded, topology).await?;
    let copied = bundle.as_ref().map(|bundle| copy(bundle, dir)).transpose()?;
    let text = template.to_pretty_json();
    let parameters = parameters(bundle.as_ref(), arguments.artifact_bucket.as_deref());
    let exported = Exported {
        result: "exported",
        stack: cloudformation::stack_name(&topology.site, &topology.environment),
        template: dir.join("template.json"),
        parameters: dir.join("parameters.json"),
        bundle: copied,
        bytes: text.len(),
        resources: template.resources().len(),
        deploy: deploy(topology, dir, bundle.as_ref(), arguments.artifact_bucket.as_deref(), text.len()),
    };
    write(&exported.template, &text)?;
    write(&exported.parameters, &format!("{parameters:#}\n"))?;
    Ok(exported)
}

/// The bundle that `up` would ship. Without one the template is of use all the same.
async fn shipped(
    context: &Context,
    arguments: &Arguments,
    loaded: &Loaded,
    topology: &Topology,
) -> Result<Option<Bundle>, Error> {
    match bundle(arguments.bundle.as_deref(), loaded, topology, &Context::home()?.bundles()).await {
        Ok(bundle) => Ok(Some(bundle)),
        Err(error) if arguments.bundle.is_some() => {
            Err(Error::new(Kind::Usage, format!("the bundle cannot be read: {error}")))
        }
        Err(error @ BundleError::Missing { .. }) => {
            context.ui.note(&format!("no bundle is exported: {error}"));
            Ok(None)
        }
        Err(error) => Err(no_bundle(&error)),
    }
}

/// Puts the bundle where its key says, so that the directory can be copied into the bucket as it is.
fn copy(bundle: &Bundle, dir: &Path) -> Result<PathBuf, Error> {
    let to = dir.join(bundle.key());
    let parent = to.parent().unwrap_or(dir);
    fs::create_dir_all(parent).map_err(|error| cannot_write(parent, &error))?;
    if fs::canonicalize(&bundle.path).ok() != fs::canonicalize(&to).ok() {
        fs::copy(&bundle.path, &to).map_err(|error| cannot_write(&to, &error))?;
    }
    Ok(to)
}

/// What is not known is left out: CloudFormation then asks for it by name.
fn parameters(bundle: Option<&Bundle>, bucket: Option<&str>) -> Value {
    let known = [
        (PARAMETER_BUCKET, bucket.map(ToOwned::to_owned)),
        (PARAMETER_KEY, bundle.map(Bundle::key)),
        (PARAMETER_SHA256, bundle.map(|bundle| bundle.sha256.clone())),
    ];
    let known = known.into_iter().filter_map(|(name, value)| Some((name, value?)));
    known.map(|(name, value)| json!({ "ParameterKey": name, "ParameterValue": value })).collect()
}

/// The commands that deploy what was written. What is not known stands there in capitals.
fn deploy(topology: &Topology, dir: &Path, bundle: Option<&Bundle>, bucket: Option<&str>, bytes: usize) -> String {
    let bucket = quoted(bucket.unwrap_or("BUCKET"));
    let dir = quoted(&dir.display().to_string());
    let key = bundle.map_or_else(|| "BUNDLE".to_owned(), Bundle::key);
    let sha256 = bundle.map_or("SHA256", |bundle| bundle.sha256.as_str());
    let through = if bytes > INLINE_LIMIT { format!(" --s3-bucket {bucket}") } else { String::new() };
    let stack = quoted(&cloudformation::stack_name(&topology.site, &topology.environment));
    let role = topology.iam.deployment_role.as_ref().map(|role| format!(" --role-arn {}", quoted(role)));
    let tags: Vec<String> = cloudformation::stack_tags(topology, None)
        .into_iter()
        .map(|(key, value)| quoted(&format!("{key}={value}")))
        .collect();
    format!(
        "  aws s3 cp {dir}/{key} s3://{bucket}/{key}\n  aws cloudformation deploy --stack-name {stack} \
         --template-file {dir}/template.json{through} --capabilities {CAPABILITY}{} \
         --parameter-overrides {PARAMETER_BUCKET}={bucket} {PARAMETER_KEY}={key} {PARAMETER_SHA256}={sha256} --tags {}",
        role.unwrap_or_default(),
        tags.join(" ")
    )
}

/// Quotes for a POSIX shell, where it is needed.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._:=@-".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|error| cannot_write(path, &error))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Error {
    Error::new(Kind::Failed, format!("{} cannot be written: {error}", path.display()))
}
