//! Asks one instance how it is: `GET /healthz` on loopback.

use crate::local::get::get;

/// More of an unhealthy instance's answer is not shown.
const LONGEST_REASON: usize = 500;

/// Returns nothing when the instance is well, else what it says or what is wrong with asking it.
pub(super) async fn check(port: u16) -> Result<(), String> {
    let (status, body) = get(port, "/healthz").await?;
    if status.is_success() {
        return Ok(());
    }
    let said: String = String::from_utf8_lossy(&body).trim().chars().take(LONGEST_REASON).collect();
    Err(format!("/healthz says {status}: {said}"))
}
