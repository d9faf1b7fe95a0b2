//! Launches that came to nothing, and why. CloudFormation only says that no instance has signalled; Auto Scaling knows that there was
//! no quota, no capacity, or no such type in the zone.

use aws_sdk_autoscaling::types::{Activity, ScalingActivityStatusCode};

use super::{
    Session,
    error::{Call, Error},
};

/// Activities that are looked at, the newest.
const ACTIVITIES: i32 = 20;

/// Returns why a group's newest launch failed, if it did. A group that is deleted is remembered for some weeks.
pub(super) async fn failed(session: &Session, group: &str) -> Result<Option<String>, Error> {
    let call = Call::new("autoscaling", "DescribeScalingActivities", group);
    let request = session
        .groups()
        .describe_scaling_activities()
        .auto_scaling_group_name(group)
        .include_deleted_groups(true)
        .max_records(ACTIVITIES);
    Ok(newest(request.send().await.map_err(call.failed())?.activities()))
}

/// The newest come first. A launch that went well after one that failed makes that one history.
fn newest(activities: &[Activity]) -> Option<String> {
    let launches =
        |activity: &&Activity| activity.description().is_some_and(|description| description.starts_with("Launching"));
    let newest = activities.iter().filter(launches).find(|activity| {
        matches!(
            activity.status_code(),
            Some(ScalingActivityStatusCode::Failed | ScalingActivityStatusCode::Successful)
        )
    })?;
    let failed = newest.status_code() == Some(&ScalingActivityStatusCode::Failed);
    newest.status_message().filter(|_| failed).map(|message| message.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use aws_sdk_autoscaling::primitives::DateTime;

    use super::*;

    fn activity(what: &str, status: ScalingActivityStatusCode, message: &str) -> Activity {
        Activity::builder()
            .activity_id("1")
            .auto_scaling_group_name("photos-dev-web")
            .cause("a change of capacity")
            .start_time(DateTime::from_secs(0))
            .description(what)
            .status_code(status)
            .status_message(message)
            .build()
    }

    #[test]
    fn the_newest_launch_counts() {
        let quota = "You have requested more vCPU capacity than your current vCPU limit of 1 allows.";
        let failed =
            || activity("Launching a new EC2 instance.  Status Reason: ...", ScalingActivityStatusCode::Failed, quota);
        let well = activity("Launching a new EC2 instance: i-1", ScalingActivityStatusCode::Successful, "");
        let on_its_way = activity("Launching a new EC2 instance: i-2", ScalingActivityStatusCode::PreInService, "");
        let ended = activity("Terminating EC2 instance: i-0", ScalingActivityStatusCode::Failed, "no");
        assert_eq!(newest(&[on_its_way, ended, failed()]).as_deref(), Some(quota));
        assert_eq!(newest(&[well, failed()]), None);
        assert_eq!(newest(&[]), None);
    }
}
