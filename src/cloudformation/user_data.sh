#!/bin/bash
# What an instance runs at its first boot: it fetches the worker bundle, checks and installs it, starts the worker, and tells
# CloudFormation when the worker is healthy, or that it will not be. It says what it does on the console and in
# /var/log/decouple/boot.log, and the end of a failure in the group's log group too.
#
# What stands in a dollar sign and braces is put in by CloudFormation; the shell's own variables have no braces here.
# shellcheck disable=SC2016
set -euo pipefail

readonly stack='${AWS::StackName}' region='${AWS::Region}' group='${Group}' log_group='${LogGroup}'
readonly bucket='${ArtifactBucket}' key='${ArtifactKey}' sha256='${ArtifactSha256}'
readonly health='http://127.0.0.1:${HealthPort}/healthz'

readonly home=/opt/decouple settings=/etc/decouple logs=/var/log/decouple unit=decouple-worker.service
# The worker may take this long to become healthy, and end this often before.
readonly patience=300 endings=20
instance=unknown
step=begin
reason=

write_environment() {
  install -m 600 /dev/null "$settings/worker.env"
  # Quoted for systemd: nothing in it is expanded or run.
  cat >"$settings/worker.env" <<'END_OF_THE_ENVIRONMENT'
@ENVIRONMENT@
END_OF_THE_ENVIRONMENT
  printf 'DECOUPLE_INSTANCE="%s"\nAWS_REGION="%s"\n' "$instance" "$region" >>"$settings/worker.env"
}

say() { printf '%s decouple: %s\n' "$(date -u +%FT%TZ)" "$*" | tee -a "$logs/boot.log" >"$console" || true; }

begin() {
  step=$*
  say "$step"
}

fail() {
  reason=$*
  exit 1
}

# retry COMMAND...: for two minutes, ever more slowly. A new role or route is not known everywhere at once.
retry() {
  local pause=1
  until "$@"; do
    [ "$pause" -le 64 ] || return 1
    say "it failed; once more in $pause s: $*"
    sleep "$pause"
    pause=$((pause * 2))
  done
}

instance_id() {
  local metadata=http://169.254.169.254/latest token
  token=$(curl -fsS -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' "$metadata/api/token") || return
  # Not as an argument, which everybody on the machine could read.
  curl -fsS -m 5 -H @- "$metadata/meta-data/instance-id" <<<"X-aws-ec2-metadata-token: $token"
}

fetch() { aws s3 cp "s3://$bucket/$key" "$settings/bundle.tar.gz" --region "$region" --only-show-errors; }

install_bundle() {
  local sum
  sum=$(sha256sum "$settings/bundle.tar.gz" | cut -d ' ' -f 1)
  [ "$sum" = "$sha256" ] || fail "the bundle s3://$bucket/$key has the SHA-256 $sum, not $sha256: it is not used"
  tar -xzf "$settings/bundle.tar.gz" -C "$home" --no-same-owner --no-same-permissions
  rm "$settings/bundle.tar.gz"
}

# The bundle has the authorities of the databases of most regions; a younger region publishes its own.
install_authorities() {
  cp "$home/rds-ca.pem" "$settings/rds-ca.pem"
  grep -q "Amazon RDS $region Root CA" "$settings/rds-ca.pem" ||
    curl -fsS -m 30 --retry 3 "https://truststore.pki.rds.amazonaws.com/$region/$region-bundle.pem" -o "$settings/rds-ca.pem" ||
    fail "there are no certificate authorities for databases in $region, neither in the bundle nor at truststore.pki.rds.amazonaws.com"
}

install_unit() {
  local job
  job=$(sed -n 's/^DECOUPLE_JOB_TIMEOUT_SECONDS="\([0-9]*\)"$/\1/p' "$settings/worker.env")
  [ -n "$job" ] || job=60
  cp "$home/$unit" "/etc/systemd/system/$unit"
  mkdir -p "/etc/systemd/system/$unit.d"
  # It may finish what it has begun.
  printf '[Service]\nTimeoutStopSec=%s\n' $((job + 10)) >"/etc/systemd/system/$unit.d/group.conf"
  systemctl daemon-reload
  systemctl enable "$unit"
}

# How the worker ended last, in systemd's words: `code=exited, status=1/FAILURE`.
last_end() { journalctl -q -o cat -u "$unit" | sed -n 's/.*Main process exited, //p' | tail -n 1; }

wait_until_healthy() {
  local answer ended
  SECONDS=0
  while true; do
    answer=$(curl -sS -m 5 -w ' (HTTP %{http_code})' "$health" 2>&1) || true
    case $answer in *'(HTTP 2'??')') return ;; esac
    ended=$(systemctl show --property NRestarts --value "$unit")
    [ "$ended" -lt $endings ] || fail "the worker ended $ended times: $(last_end)"
    [ $SECONDS -lt $patience ] || fail "the worker is not healthy after $patience s, it said: $answer"
    sleep 1
  done
}

# Logs to CloudWatch, which only the agent does, and only from files. Without it the instance works all the same.
ship_logs() {
  cat >"$settings/cloudwatch.json" <<END
{"logs": {"logs_collected": {"files": {"collect_list": [
  {"file_path": "$logs/worker.log", "log_group_name": "$log_group", "log_stream_name": "$instance"},
  {"file_path": "$logs/boot.log", "log_group_name": "$log_group", "log_stream_name": "$instance/boot"}
]}}}}
END
  cat >/etc/logrotate.d/decouple <<END
$logs/*.log {
  size 50M
  rotate 3
  compress
  copytruncate
  missingok
}
END
  mkdir -p /etc/systemd/system/logrotate.timer.d
  printf '[Timer]\nOnCalendar=\nOnCalendar=hourly\n' >/etc/systemd/system/logrotate.timer.d/decouple.conf
  if timeout 300 dnf install -y -q amazon-cloudwatch-agent logrotate &&
    systemctl daemon-reload && systemctl restart logrotate.timer &&
    /opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl \
      -a fetch-config -m ec2 -s -c "file:$settings/cloudwatch.json"; then
    say 'logs go to CloudWatch'
  else
    say "logs stay in $logs: the CloudWatch agent could not be installed"
  fi
}

signal() {
  command -v cfn-signal >/dev/null || timeout 120 dnf install -y -q aws-cfn-bootstrap
  # CloudFormation waits while it makes or changes the group. It refuses what comes later, from instances that scaling adds.
  timeout 120 cfn-signal --stack "$stack" --resource "$group" --region "$region" "$@" || say 'CloudFormation took no signal; it wants none but while it makes or changes the group'
}

# A signal for a resource carries no text, whatever cfn-signal takes: the log group is where the reason is found.
tell_why() {
  sed -e 's/[\\"]/\\&/g' -e "s/.*/[{\"timestamp\": $(date +%s000), \"message\": \"FAILED: &\"}]/" <<<"$1" >"$settings/why.json"
  set -- --region "$region" --log-group-name "$log_group" --log-stream-name "$instance/boot"
  timeout 20 aws logs create-log-stream "$@"
  timeout 20 aws logs put-log-events "$@" --log-events "file://$settings/why.json" || say 'the log group takes no text'
}

# One line of plain characters.
plain() { tr -s '[:space:]' ' ' | LC_ALL=C tr -cd '[:print:]' | sed 's/ $//'; }

finish() {
  local code=$? words
  trap - EXIT
  set +e
  if [ $code -eq 0 ]; then
    say 'the worker is healthy'
    signal --success true
  else
    [ -n "$reason" ] || reason="it could not $step: $(tail -n 1 "$logs/boot.log")"
    words=$(tail -n 3 "$logs/worker.log" 2>/dev/null | plain | tail -c 700)
    reason=$(printf '%s' "$reason" | plain | head -c 300)
    [ -z "$words" ] || reason="$reason; its last words: $words"
    say "FAILED: $reason"
    tell_why "$reason"
    signal --success false --reason "$reason"
    # Time to look at it. Then Auto Scaling replaces it, which knows nothing of workers that receive and do not serve.
    systemd-run --quiet --unit decouple-give-up --on-active 15min \
      /bin/sh -c "curl -fsS -m 5 -o /dev/null $health || systemctl poweroff"
  fi
  wait
  exit $code
}

PATH=$PATH:/opt/aws/bin
console=/dev/console
[ -w $console ] || console=/dev/null
mkdir -p $home $settings $logs
trap finish EXIT
# What programs say goes to the log alone.
exec >>$logs/boot.log 2>&1 </dev/null

begin "ask the metadata service who this instance is"
instance=$(retry instance_id)
begin "write what instance $instance of $group is told"
write_environment
begin "fetch s3://$bucket/$key"
retry fetch
begin "install the bundle"
install_bundle
install_authorities
install_unit
begin "start the worker"
# One that ends at once may come to itself, so starting it is no failure yet.
systemctl start --no-block $unit
ship_logs &
begin "wait until the worker is healthy"
wait_until_healthy
