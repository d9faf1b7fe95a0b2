//! The child's side: takes a photo, computes, answers, until its input ends.

use std::io::{self, Write, stdin, stdout};

use rustix::process::{Resource, Rlimit, setrlimit};

use super::frame::{Answer, head, read_order};
use crate::photo::{Wanted, make};

/// Most memory that the process may ask for. What is known to take more than there is was refused before; this is for what was
/// not known.
const MEMORY: u64 = 2 << 30;

/// Computes on what comes in until there is no more. The input ends with the worker, however that came to its end.
pub fn run() -> io::Result<()> {
    confine();
    let (mut orders, mut answers) = (stdin().lock(), stdout().lock());
    while let Some((order, content)) = read_order(&mut orders)? {
        let wanted = Wanted { renditions: order.renditions.as_ref(), look: order.look };
        match make(&content, wanted) {
            Ok(made) => {
                answers.write_all(&head(&Answer::of(&made))?)?;
                for rendition in &made.renditions {
                    answers.write_all(&rendition.data)?;
                }
                if let Some(look) = &made.look {
                    answers.write_all(look.as_bytes())?;
                }
            }
            Err(error) => answers.write_all(&head(&Answer::Refused(error))?)?,
        }
        answers.flush()?;
    }
    Ok(())
}

/// A decoder that was tricked cannot open files or connections, and cannot eat the machine's memory: it is the first to go
/// when memory runs short. A limit that the system does not grant leaves the others.
fn confine() {
    let exactly = |most| Rlimit { current: Some(most), maximum: Some(most) };
    let _ = setrlimit(Resource::As, exactly(MEMORY));
    let _ = setrlimit(Resource::Core, exactly(0));
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let _ = setrlimit(Resource::Nofile, exactly(3));
}
