# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_decouple_global_optspecs
    string join \n stage= blueprint= env= target= region= profile= o/output= y/yes q/quiet v/verbose h/help V/version
end

function __fish_decouple_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_decouple_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_decouple_using_subcommand
    set -l cmd (__fish_decouple_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c decouple -n "__fish_decouple_needs_command" -l stage -d 'How far the site is decoupled [default: the blueprint\'s]' -r -f -a "elb\t'One group behind a load balancer does all the work while the uploader waits'
elb-sqs\t'A web group stores photos and writes tasks to one queue; a second group resizes and tags later'
sns-sqs\t'The web group publishes to a topic; resizing and tagging have a queue and a group each'"
complete -c decouple -n "__fish_decouple_needs_command" -l blueprint -d 'Blueprint to read [default: decouple.yaml if there is one, else the stage\'s built-in blueprint]' -r -F
complete -c decouple -n "__fish_decouple_needs_command" -l env -d 'Name of the environment' -r
complete -c decouple -n "__fish_decouple_needs_command" -l target -d 'Where the site runs [default: the blueprint\'s, else local]' -r -f -a "local\t'On this machine: worker processes, a load balancer, and S3, SQS and SNS endpoints on loopback'
aws\t'On AWS, through CloudFormation'"
complete -c decouple -n "__fish_decouple_needs_command" -l region -d 'AWS region [default: the SDK\'s; us-east-1 on the local target]' -r
complete -c decouple -n "__fish_decouple_needs_command" -l profile -d 'AWS profile' -r
complete -c decouple -n "__fish_decouple_needs_command" -s o -l output -d 'Form of the result' -r -f -a "text\t'For people'
json\t'One JSON document; for long-running verbs one JSON object a line, the result last'
env\t'`outputs` and `endpoint` only: shell commands that set environment variables'
github\t'`outputs` only: lines for the file that `GITHUB_OUTPUT` names'"
complete -c decouple -n "__fish_decouple_needs_command" -s y -l yes -d 'Answer every question with yes'
complete -c decouple -n "__fish_decouple_needs_command" -s q -l quiet -d 'Tell results and errors only'
complete -c decouple -n "__fish_decouple_needs_command" -s v -l verbose -d 'Tell more of what is done'
complete -c decouple -n "__fish_decouple_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c decouple -n "__fish_decouple_needs_command" -s V -l version -d 'Print version'
complete -c decouple -n "__fish_decouple_needs_command" -f -a "validate" -d 'Check a blueprint: every mistake with its line, in one go'
complete -c decouple -n "__fish_decouple_needs_command" -f -a "up" -d 'Provision, ship the worker, and wait until it is healthy'
complete -c decouple -n "__fish_decouple_needs_command" -f -a "status" -d 'Show the live health of every part'
complete -c decouple -n "__fish_decouple_needs_command" -f -a "outputs" -d 'Show where things are: URLs, names and ARNs'
complete -c decouple -n "__fish_decouple_needs_command" -f -a "logs" -d 'Show what workers log'
complete -c decouple -n "__fish_decouple_needs_command" -f -a "list" -d 'List all environments'
complete -c decouple -n "__fish_decouple_needs_command" -f -a "teardown" -d 'Stop everything; keep data unless told otherwise'
complete -c decouple -n "__fish_decouple_needs_command" -f -a "export" -d 'Write the plain CloudFormation, or print the IAM policy that is needed'
complete -c decouple -n "__fish_decouple_needs_command" -f -a "endpoint" -d 'Run S3, SQS and SNS alone, for the tests of any project'
complete -c decouple -n "__fish_decouple_needs_command" -f -a "schema" -d 'Print the JSON schema of blueprints'
complete -c decouple -n "__fish_decouple_needs_command" -f -a "completions" -d 'Print the completion script of a shell'
complete -c decouple -n "__fish_decouple_needs_command" -f -a "daemon" -d 'Run an environment\'s background process'
complete -c decouple -n "__fish_decouple_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c decouple -n "__fish_decouple_using_subcommand validate" -l stage -d 'How far the site is decoupled [default: the blueprint\'s]' -r -f -a "elb\t'One group behind a load balancer does all the work while the uploader waits'
elb-sqs\t'A web group stores photos and writes tasks to one queue; a second group resizes and tags later'
sns-sqs\t'The web group publishes to a topic; resizing and tagging have a queue and a group each'"
complete -c decouple -n "__fish_decouple_using_subcommand validate" -l blueprint -d 'Blueprint to read [default: decouple.yaml if there is one, else the stage\'s built-in blueprint]' -r -F
complete -c decouple -n "__fish_decouple_using_subcommand validate" -l env -d 'Name of the environment' -r
complete -c decouple -n "__fish_decouple_using_subcommand validate" -l target -d 'Where the site runs [default: the blueprint\'s, else local]' -r -f -a "local\t'On this machine: worker processes, a load balancer, and S3, SQS and SNS endpoints on loopback'
aws\t'On AWS, through CloudFormation'"
complete -c decouple -n "__fish_decouple_using_subcommand validate" -l region -d 'AWS region [default: the SDK\'s; us-east-1 on the local target]' -r
complete -c decouple -n "__fish_decouple_using_subcommand validate" -l profile -d 'AWS profile' -r
complete -c decouple -n "__fish_decouple_using_subcommand validate" -s o -l output -d 'Form of the result' -r -f -a "text\t'For people'
json\t'One JSON document; for long-running verbs one JSON object a line, the result last'
env\t'`outputs` and `endpoint` only: shell commands that set environment variables'
github\t'`outputs` only: lines for the file that `GITHUB_OUTPUT` names'"
complete -c decouple -n "__fish_decouple_using_subcommand validate" -s y -l yes -d 'Answer every question with yes'
complete -c decouple -n "__fish_decouple_using_subcommand validate" -s q -l quiet -d 'Tell results and errors only'
complete -c decouple -n "__fish_decouple_using_subcommand validate" -s v -l verbose -d 'Tell more of what is done'
complete -c decouple -n "__fish_decouple_using_subcommand validate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c decouple -n "__fish_decouple_using_subcommand validate" -s V -l version -d 'Print version'
complete -c decouple -n "__fish_decouple_using_subcommand up" -l bundle -d 'AWS: worker bundle to ship in place of the built-in one' -r -F
complete -c decouple -n "__fish_decouple_using_subcommand up" -l stage -d 'How far the site is decoupled [default: the blueprint\'s]' -r -f -a "elb\t'One group behind a load balancer does all the work while the uploader waits'
elb-sqs\t'A web group stores photos and writes tasks to one queue; a second group resizes and tags later'
sns-sqs\t'The web group publishes to a topic; resizing and tagging have a queue and a group each'"
complete -c decouple -n "__fish_decouple_using_subcommand up" -l blueprint -d 'Blueprint to read [default: decouple.yaml if there is one, else the stage\'s built-in blueprint]' -r -F
complete -c decouple -n "__fish_decouple_using_subcommand up" -l env -d 'Name of the environment' -r
complete -c decouple -n "__fish_decouple_using_subcommand up" -l target -d 'Where the site runs [default: the blueprint\'s, else local]' -r -f -a "local\t'On this machine: worker processes, a load balancer, and S3, SQS and SNS endpoints on loopback'
aws\t'On AWS, through CloudFormation'"
complete -c decouple -n "__fish_decouple_using_subcommand up" -l region -d 'AWS region [default: the SDK\'s; us-east-1 on the local target]' -r
complete -c decouple -n "__fish_decouple_using_subcommand up" -l profile -d 'AWS profile' -r
complete -c decouple -n "__fish_decouple_using_subcommand up" -s o -l output -d 'Form of the result' -r -f -a "text\t'For people'
json\t'One JSON document; for long-running verbs one JSON object a line, the result last'
env\t'`outputs` and `endpoint` only: shell commands that set environment variables'
github\t'`outputs` only: lines for the file that `GITHUB_OUTPUT` names'"
complete -c decouple -n "__fish_decouple_using_subcommand up" -l foreground -d 'Local: stay in the foreground, show what workers log, and stop everything on Ctrl-C'
complete -c decouple -n "__fish_decouple_using_subcommand up" -l express -d 'AWS: CloudFormation\'s express mode: resources count as made once they are configured'
complete -c decouple -n "__fish_decouple_using_subcommand up" -l no-wait -d 'AWS: end when the stack is made, before instances and database are ready'
complete -c decouple -n "__fish_decouple_using_subcommand up" -s y -l yes -d 'Answer every question with yes'
complete -c decouple -n "__fish_decouple_using_subcommand up" -s q -l quiet -d 'Tell results and errors only'
complete -c decouple -n "__fish_decouple_using_subcommand up" -s v -l verbose -d 'Tell more of what is done'
complete -c decouple -n "__fish_decouple_using_subcommand up" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c decouple -n "__fish_decouple_using_subcommand up" -s V -l version -d 'Print version'
complete -c decouple -n "__fish_decouple_using_subcommand status" -l stage -d 'How far the site is decoupled [default: the blueprint\'s]' -r -f -a "elb\t'One group behind a load balancer does all the work while the uploader waits'
elb-sqs\t'A web group stores photos and writes tasks to one queue; a second group resizes and tags later'
sns-sqs\t'The web group publishes to a topic; resizing and tagging have a queue and a group each'"
complete -c decouple -n "__fish_decouple_using_subcommand status" -l blueprint -d 'Blueprint to read [default: decouple.yaml if there is one, else the stage\'s built-in blueprint]' -r -F
complete -c decouple -n "__fish_decouple_using_subcommand status" -l env -d 'Name of the environment' -r
complete -c decouple -n "__fish_decouple_using_subcommand status" -l target -d 'Where the site runs [default: the blueprint\'s, else local]' -r -f -a "local\t'On this machine: worker processes, a load balancer, and S3, SQS and SNS endpoints on loopback'
aws\t'On AWS, through CloudFormation'"
complete -c decouple -n "__fish_decouple_using_subcommand status" -l region -d 'AWS region [default: the SDK\'s; us-east-1 on the local target]' -r
complete -c decouple -n "__fish_decouple_using_subcommand status" -l profile -d 'AWS profile' -r
complete -c decouple -n "__fish_decouple_using_subcommand status" -s o -l output -d 'Form of the result' -r -f -a "text\t'For people'
json\t'One JSON document; for long-running verbs one JSON object a line, the result last'
env\t'`outputs` and `endpoint` only: shell commands that set environment variables'
github\t'`outputs` only: lines for the file that `GITHUB_OUTPUT` names'"
complete -c decouple -n "__fish_decouple_using_subcommand status" -l watch -d 'Look again every two seconds, until Ctrl-C'
complete -c decouple -n "__fish_decouple_using_subcommand status" -l exit-code -d 'Exit with 1 when something is degraded or down'
complete -c decouple -n "__fish_decouple_using_subcommand status" -s y -l yes -d 'Answer every question with yes'
complete -c decouple -n "__fish_decouple_using_subcommand status" -s q -l quiet -d 'Tell results and errors only'
complete -c decouple -n "__fish_decouple_using_subcommand status" -s v -l verbose -d 'Tell more of what is done'
complete -c decouple -n "__fish_decouple_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c decouple -n "__fish_decouple_using_subcommand status" -s V -l version -d 'Print version'
complete -c decouple -n "__fish_decouple_using_subcommand outputs" -l stage -d 'How far the site is decoupled [default: the blueprint\'s]' -r -f -a "elb\t'One group behind a load balancer does all the work while the uploader waits'
elb-sqs\t'A web group stores photos and writes tasks to one queue; a second group resizes and tags later'
sns-sqs\t'The web group publishes to a topic; resizing and tagging have a queue and a group each'"
complete -c decouple -n "__fish_decouple_using_subcommand outputs" -l blueprint -d 'Blueprint to read [default: decouple.yaml if there is one, else the stage\'s built-in blueprint]' -r -F
complete -c decouple -n "__fish_decouple_using_subcommand outputs" -l env -d 'Name of the environment' -r
complete -c decouple -n "__fish_decouple_using_subcommand outputs" -l target -d 'Where the site runs [default: the blueprint\'s, else local]' -r -f -a "local\t'On this machine: worker processes, a load balancer, and S3, SQS and SNS endpoints on loopback'
aws\t'On AWS, through CloudFormation'"
complete -c decouple -n "__fish_decouple_using_subcommand outputs" -l region -d 'AWS region [default: the SDK\'s; us-east-1 on the local target]' -r
complete -c decouple -n "__fish_decouple_using_subcommand outputs" -l profile -d 'AWS profile' -r
complete -c decouple -n "__fish_decouple_using_subcommand outputs" -s o -l output -d 'Form of the result' -r -f -a "text\t'For people'
json\t'One JSON document; for long-running verbs one JSON object a line, the result last'
env\t'`outputs` and `endpoint` only: shell commands that set environment variables'
github\t'`outputs` only: lines for the file that `GITHUB_OUTPUT` names'"
complete -c decouple -n "__fish_decouple_using_subcommand outputs" -s y -l yes -d 'Answer every question with yes'
complete -c decouple -n "__fish_decouple_using_subcommand outputs" -s q -l quiet -d 'Tell results and errors only'
complete -c decouple -n "__fish_decouple_using_subcommand outputs" -s v -l verbose -d 'Tell more of what is done'
complete -c decouple -n "__fish_decouple_using_subcommand outputs" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c decouple -n "__fish_decouple_using_subcommand outputs" -s V -l version -d 'Print version'
complete -c decouple -n "__fish_decouple_using_subcommand logs" -l since -d 'Leave out what is older, such as 30s, 10m or 2h' -r
complete -c decouple -n "__fish_decouple_using_subcommand logs" -l stage -d 'How far the site is decoupled [default: the blueprint\'s]' -r -f -a "elb\t'One group behind a load balancer does all the work while the uploader waits'
elb-sqs\t'A web group stores photos and writes tasks to one queue; a second group resizes and tags later'
sns-sqs\t'The web group publishes to a topic; resizing and tagging have a queue and a group each'"
complete -c decouple -n "__fish_decouple_using_subcommand logs" -l blueprint -d 'Blueprint to read [default: decouple.yaml if there is one, else the stage\'s built-in blueprint]' -r -F
complete -c decouple -n "__fish_decouple_using_subcommand logs" -l env -d 'Name of the environment' -r
complete -c decouple -n "__fish_decouple_using_subcommand logs" -l target -d 'Where the site runs [default: the blueprint\'s, else local]' -r -f -a "local\t'On this machine: worker processes, a load balancer, and S3, SQS and SNS endpoints on loopback'
aws\t'On AWS, through CloudFormation'"
complete -c decouple -n "__fish_decouple_using_subcommand logs" -l region -d 'AWS region [default: the SDK\'s; us-east-1 on the local target]' -r
complete -c decouple -n "__fish_decouple_using_subcommand logs" -l profile -d 'AWS profile' -r
complete -c decouple -n "__fish_decouple_using_subcommand logs" -s o -l output -d 'Form of the result' -r -f -a "text\t'For people'
json\t'One JSON document; for long-running verbs one JSON object a line, the result last'
env\t'`outputs` and `endpoint` only: shell commands that set environment variables'
github\t'`outputs` only: lines for the file that `GITHUB_OUTPUT` names'"
complete -c decouple -n "__fish_decouple_using_subcommand logs" -s f -l follow -d 'Go on showing what is logged, until Ctrl-C'
complete -c decouple -n "__fish_decouple_using_subcommand logs" -s y -l yes -d 'Answer every question with yes'
complete -c decouple -n "__fish_decouple_using_subcommand logs" -s q -l quiet -d 'Tell results and errors only'
complete -c decouple -n "__fish_decouple_using_subcommand logs" -s v -l verbose -d 'Tell more of what is done'
complete -c decouple -n "__fish_decouple_using_subcommand logs" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c decouple -n "__fish_decouple_using_subcommand logs" -s V -l version -d 'Print version'
complete -c decouple -n "__fish_decouple_using_subcommand list" -l stage -d 'How far the site is decoupled [default: the blueprint\'s]' -r -f -a "elb\t'One group behind a load balancer does all the work while the uploader waits'
elb-sqs\t'A web group stores photos and writes tasks to one queue; a second group resizes and tags later'
sns-sqs\t'The web group publishes to a topic; resizing and tagging have a queue and a group each'"
complete -c decouple -n "__fish_decouple_using_subcommand list" -l blueprint -d 'Blueprint to read [default: decouple.yaml if there is one, else the stage\'s built-in blueprint]' -r -F
complete -c decouple -n "__fish_decouple_using_subcommand list" -l env -d 'Name of the environment' -r
complete -c decouple -n "__fish_decouple_using_subcommand list" -l target -d 'Where the site runs [default: the blueprint\'s, else local]' -r -f -a "local\t'On this machine: worker processes, a load balancer, and S3, SQS and SNS endpoints on loopback'
aws\t'On AWS, through CloudFormation'"
complete -c decouple -n "__fish_decouple_using_subcommand list" -l region -d 'AWS region [default: the SDK\'s; us-east-1 on the local target]' -r
complete -c decouple -n "__fish_decouple_using_subcommand list" -l profile -d 'AWS profile' -r
complete -c decouple -n "__fish_decouple_using_subcommand list" -s o -l output -d 'Form of the result' -r -f -a "text\t'For people'
json\t'One JSON document; for long-running verbs one JSON object a line, the result last'
env\t'`outputs` and `endpoint` only: shell commands that set environment variables'
github\t'`outputs` only: lines for the file that `GITHUB_OUTPUT` names'"
complete -c decouple -n "__fish_decouple_using_subcommand list" -s y -l yes -d 'Answer every question with yes'
complete -c decouple -n "__fish_decouple_using_subcommand list" -s q -l quiet -d 'Tell results and errors only'
complete -c decouple -n "__fish_decouple_using_subcommand list" -s v -l verbose -d 'Tell more of what is done'
complete -c decouple -n "__fish_decouple_using_subcommand list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c decouple -n "__fish_decouple_using_subcommand list" -s V -l version -d 'Print version'
complete -c decouple -n "__fish_decouple_using_subcommand teardown" -l stage -d 'How far the site is decoupled [default: the blueprint\'s]' -r -f -a "elb\t'One group behind a load balancer does all the work while the uploader waits'
elb-sqs\t'A web group stores photos and writes tasks to one queue; a second group resizes and tags later'
sns-sqs\t'The web group publishes to a topic; resizing and tagging have a queue and a group each'"
complete -c decouple -n "__fish_decouple_using_subcommand teardown" -l blueprint -d 'Blueprint to read [default: decouple.yaml if there is one, else the stage\'s built-in blueprint]' -r -F
complete -c decouple -n "__fish_decouple_using_subcommand teardown" -l env -d 'Name of the environment' -r
complete -c decouple -n "__fish_decouple_using_subcommand teardown" -l target -d 'Where the site runs [default: the blueprint\'s, else local]' -r -f -a "local\t'On this machine: worker processes, a load balancer, and S3, SQS and SNS endpoints on loopback'
aws\t'On AWS, through CloudFormation'"
complete -c decouple -n "__fish_decouple_using_subcommand teardown" -l region -d 'AWS region [default: the SDK\'s; us-east-1 on the local target]' -r
complete -c decouple -n "__fish_decouple_using_subcommand teardown" -l profile -d 'AWS profile' -r
complete -c decouple -n "__fish_decouple_using_subcommand teardown" -s o -l output -d 'Form of the result' -r -f -a "text\t'For people'
json\t'One JSON document; for long-running verbs one JSON object a line, the result last'
env\t'`outputs` and `endpoint` only: shell commands that set environment variables'
github\t'`outputs` only: lines for the file that `GITHUB_OUTPUT` names'"
complete -c decouple -n "__fish_decouple_using_subcommand teardown" -l delete-data -d 'Remove photos, records, tasks and logs too'
complete -c decouple -n "__fish_decouple_using_subcommand teardown" -s y -l yes -d 'Answer every question with yes'
complete -c decouple -n "__fish_decouple_using_subcommand teardown" -s q -l quiet -d 'Tell results and errors only'
complete -c decouple -n "__fish_decouple_using_subcommand teardown" -s v -l verbose -d 'Tell more of what is done'
complete -c decouple -n "__fish_decouple_using_subcommand teardown" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c decouple -n "__fish_decouple_using_subcommand teardown" -s V -l version -d 'Print version'
complete -c decouple -n "__fish_decouple_using_subcommand export" -l dir -d 'Write template, parameters and worker bundle into this directory' -r -F
complete -c decouple -n "__fish_decouple_using_subcommand export" -l bundle -d 'Worker bundle to export in place of the one that `up` would ship' -r -F
complete -c decouple -n "__fish_decouple_using_subcommand export" -l artifact-bucket -d 'Bucket that the bundle will be in [default: left to the deployment]' -r
complete -c decouple -n "__fish_decouple_using_subcommand export" -l policy -d 'Print the least IAM policy that is needed' -r -f -a "all\t'Whoever runs decouple, and provisions with permissions of their own'
command-line\t'Whoever runs decouple, where the blueprint names a deployment role'
deployment-role\t'The deployment role'"
complete -c decouple -n "__fish_decouple_using_subcommand export" -l stage -d 'How far the site is decoupled [default: the blueprint\'s]' -r -f -a "elb\t'One group behind a load balancer does all the work while the uploader waits'
elb-sqs\t'A web group stores photos and writes tasks to one queue; a second group resizes and tags later'
sns-sqs\t'The web group publishes to a topic; resizing and tagging have a queue and a group each'"
complete -c decouple -n "__fish_decouple_using_subcommand export" -l blueprint -d 'Blueprint to read [default: decouple.yaml if there is one, else the stage\'s built-in blueprint]' -r -F
complete -c decouple -n "__fish_decouple_using_subcommand export" -l env -d 'Name of the environment' -r
complete -c decouple -n "__fish_decouple_using_subcommand export" -l target -d 'Where the site runs [default: the blueprint\'s, else local]' -r -f -a "local\t'On this machine: worker processes, a load balancer, and S3, SQS and SNS endpoints on loopback'
aws\t'On AWS, through CloudFormation'"
complete -c decouple -n "__fish_decouple_using_subcommand export" -l region -d 'AWS region [default: the SDK\'s; us-east-1 on the local target]' -r
complete -c decouple -n "__fish_decouple_using_subcommand export" -l profile -d 'AWS profile' -r
complete -c decouple -n "__fish_decouple_using_subcommand export" -s o -l output -d 'Form of the result' -r -f -a "text\t'For people'
json\t'One JSON document; for long-running verbs one JSON object a line, the result last'
env\t'`outputs` and `endpoint` only: shell commands that set environment variables'
github\t'`outputs` only: lines for the file that `GITHUB_OUTPUT` names'"
complete -c decouple -n "__fish_decouple_using_subcommand export" -s y -l yes -d 'Answer every question with yes'
complete -c decouple -n "__fish_decouple_using_subcommand export" -s q -l quiet -d 'Tell results and errors only'
complete -c decouple -n "__fish_decouple_using_subcommand export" -s v -l verbose -d 'Tell more of what is done'
complete -c decouple -n "__fish_decouple_using_subcommand export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c decouple -n "__fish_decouple_using_subcommand export" -s V -l version -d 'Print version'
complete -c decouple -n "__fish_decouple_using_subcommand endpoint" -s p -l port -d 'Port; 0 takes any that is free [default: 4566, or any with a COMMAND]' -r
complete -c decouple -n "__fish_decouple_using_subcommand endpoint" -s d -l data-dir -d 'Directory to keep everything in [default: a temporary one, removed at the end]' -r -F
complete -c decouple -n "__fish_decouple_using_subcommand endpoint" -l access-key-id -d 'Access key id that requests must be signed with' -r
complete -c decouple -n "__fish_decouple_using_subcommand endpoint" -l secret-access-key -d 'Secret access key that requests must be signed with' -r
complete -c decouple -n "__fish_decouple_using_subcommand endpoint" -l account -d 'Account in ARNs and queue URLs' -r
complete -c decouple -n "__fish_decouple_using_subcommand endpoint" -l listen -d 'Address to listen on; any other than loopback lets other machines in' -r
complete -c decouple -n "__fish_decouple_using_subcommand endpoint" -l host -d 'Name, besides localhost, that requests may be addressed to (that of a container, say); may be repeated' -r
complete -c decouple -n "__fish_decouple_using_subcommand endpoint" -l stage -d 'How far the site is decoupled [default: the blueprint\'s]' -r -f -a "elb\t'One group behind a load balancer does all the work while the uploader waits'
elb-sqs\t'A web group stores photos and writes tasks to one queue; a second group resizes and tags later'
sns-sqs\t'The web group publishes to a topic; resizing and tagging have a queue and a group each'"
complete -c decouple -n "__fish_decouple_using_subcommand endpoint" -l blueprint -d 'Blueprint to read [default: decouple.yaml if there is one, else the stage\'s built-in blueprint]' -r -F
complete -c decouple -n "__fish_decouple_using_subcommand endpoint" -l env -d 'Name of the environment' -r
complete -c decouple -n "__fish_decouple_using_subcommand endpoint" -l target -d 'Where the site runs [default: the blueprint\'s, else local]' -r -f -a "local\t'On this machine: worker processes, a load balancer, and S3, SQS and SNS endpoints on loopback'
aws\t'On AWS, through CloudFormation'"
complete -c decouple -n "__fish_decouple_using_subcommand endpoint" -l region -d 'AWS region [default: the SDK\'s; us-east-1 on the local target]' -r
complete -c decouple -n "__fish_decouple_using_subcommand endpoint" -l profile -d 'AWS profile' -r
complete -c decouple -n "__fish_decouple_using_subcommand endpoint" -s o -l output -d 'Form of the result' -r -f -a "text\t'For people'
json\t'One JSON document; for long-running verbs one JSON object a line, the result last'
env\t'`outputs` and `endpoint` only: shell commands that set environment variables'
github\t'`outputs` only: lines for the file that `GITHUB_OUTPUT` names'"
complete -c decouple -n "__fish_decouple_using_subcommand endpoint" -s y -l yes -d 'Answer every question with yes'
complete -c decouple -n "__fish_decouple_using_subcommand endpoint" -s q -l quiet -d 'Tell results and errors only'
complete -c decouple -n "__fish_decouple_using_subcommand endpoint" -s v -l verbose -d 'Tell more of what is done'
complete -c decouple -n "__fish_decouple_using_subcommand endpoint" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c decouple -n "__fish_decouple_using_subcommand endpoint" -s V -l version -d 'Print version'
complete -c decouple -n "__fish_decouple_using_subcommand schema" -l stage -d 'How far the site is decoupled [default: the blueprint\'s]' -r -f -a "elb\t'One group behind a load balancer does all the work while the uploader waits'
elb-sqs\t'A web group stores photos and writes tasks to one queue; a second group resizes and tags later'
sns-sqs\t'The web group publishes to a topic; resizing and tagging have a queue and a group each'"
complete -c decouple -n "__fish_decouple_using_subcommand schema" -l blueprint -d 'Blueprint to read [default: decouple.yaml if there is one, else the stage\'s built-in blueprint]' -r -F
complete -c decouple -n "__fish_decouple_using_subcommand schema" -l env -d 'Name of the environment' -r
complete -c decouple -n "__fish_decouple_using_subcommand schema" -l target -d 'Where the site runs [default: the blueprint\'s, else local]' -r -f -a "local\t'On this machine: worker processes, a load balancer, and S3, SQS and SNS endpoints on loopback'
aws\t'On AWS, through CloudFormation'"
complete -c decouple -n "__fish_decouple_using_subcommand schema" -l region -d 'AWS region [default: the SDK\'s; us-east-1 on the local target]' -r
complete -c decouple -n "__fish_decouple_using_subcommand schema" -l profile -d 'AWS profile' -r
complete -c decouple -n "__fish_decouple_using_subcommand schema" -s o -l output -d 'Form of the result' -r -f -a "text\t'For people'
json\t'One JSON document; for long-running verbs one JSON object a line, the result last'
env\t'`outputs` and `endpoint` only: shell commands that set environment variables'
github\t'`outputs` only: lines for the file that `GITHUB_OUTPUT` names'"
complete -c decouple -n "__fish_decouple_using_subcommand schema" -s y -l yes -d 'Answer every question with yes'
complete -c decouple -n "__fish_decouple_using_subcommand schema" -s q -l quiet -d 'Tell results and errors only'
complete -c decouple -n "__fish_decouple_using_subcommand schema" -s v -l verbose -d 'Tell more of what is done'
complete -c decouple -n "__fish_decouple_using_subcommand schema" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c decouple -n "__fish_decouple_using_subcommand schema" -s V -l version -d 'Print version'
complete -c decouple -n "__fish_decouple_using_subcommand completions" -l stage -d 'How far the site is decoupled [default: the blueprint\'s]' -r -f -a "elb\t'One group behind a load balancer does all the work while the uploader waits'
elb-sqs\t'A web group stores photos and writes tasks to one queue; a second group resizes and tags later'
sns-sqs\t'The web group publishes to a topic; resizing and tagging have a queue and a group each'"
complete -c decouple -n "__fish_decouple_using_subcommand completions" -l blueprint -d 'Blueprint to read [default: decouple.yaml if there is one, else the stage\'s built-in blueprint]' -r -F
complete -c decouple -n "__fish_decouple_using_subcommand completions" -l env -d 'Name of the environment' -r
complete -c decouple -n "__fish_decouple_using_subcommand completions" -l target -d 'Where the site runs [default: the blueprint\'s, else local]' -r -f -a "local\t'On this machine: worker processes, a load balancer, and S3, SQS and SNS endpoints on loopback'
aws\t'On AWS, through CloudFormation'"
complete -c decouple -n "__fish_decouple_using_subcommand completions" -l region -d 'AWS region [default: the SDK\'s; us-east-1 on the local target]' -r
complete -c decouple -n "__fish_decouple_using_subcommand completions" -l profile -d 'AWS profile' -r
complete -c decouple -n "__fish_decouple_using_subcommand completions" -s o -l output -d 'Form of the result' -r -f -a "text\t'For people'
json\t'One JSON document; for long-running verbs one JSON object a line, the result last'
env\t'`outputs` and `endpoint` only: shell commands that set environment variables'
github\t'`outputs` only: lines for the file that `GITHUB_OUTPUT` names'"
complete -c decouple -n "__fish_decouple_using_subcommand completions" -s y -l yes -d 'Answer every question with yes'
complete -c decouple -n "__fish_decouple_using_subcommand completions" -s q -l quiet -d 'Tell results and errors only'
complete -c decouple -n "__fish_decouple_using_subcommand completions" -s v -l verbose -d 'Tell more of what is done'
complete -c decouple -n "__fish_decouple_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c decouple -n "__fish_decouple_using_subcommand completions" -s V -l version -d 'Print version'
complete -c decouple -n "__fish_decouple_using_subcommand daemon" -l stage -d 'How far the site is decoupled [default: the blueprint\'s]' -r -f -a "elb\t'One group behind a load balancer does all the work while the uploader waits'
elb-sqs\t'A web group stores photos and writes tasks to one queue; a second group resizes and tags later'
sns-sqs\t'The web group publishes to a topic; resizing and tagging have a queue and a group each'"
complete -c decouple -n "__fish_decouple_using_subcommand daemon" -l blueprint -d 'Blueprint to read [default: decouple.yaml if there is one, else the stage\'s built-in blueprint]' -r -F
complete -c decouple -n "__fish_decouple_using_subcommand daemon" -l env -d 'Name of the environment' -r
complete -c decouple -n "__fish_decouple_using_subcommand daemon" -l target -d 'Where the site runs [default: the blueprint\'s, else local]' -r -f -a "local\t'On this machine: worker processes, a load balancer, and S3, SQS and SNS endpoints on loopback'
aws\t'On AWS, through CloudFormation'"
complete -c decouple -n "__fish_decouple_using_subcommand daemon" -l region -d 'AWS region [default: the SDK\'s; us-east-1 on the local target]' -r
complete -c decouple -n "__fish_decouple_using_subcommand daemon" -l profile -d 'AWS profile' -r
complete -c decouple -n "__fish_decouple_using_subcommand daemon" -s o -l output -d 'Form of the result' -r -f -a "text\t'For people'
json\t'One JSON document; for long-running verbs one JSON object a line, the result last'
env\t'`outputs` and `endpoint` only: shell commands that set environment variables'
github\t'`outputs` only: lines for the file that `GITHUB_OUTPUT` names'"
complete -c decouple -n "__fish_decouple_using_subcommand daemon" -s y -l yes -d 'Answer every question with yes'
complete -c decouple -n "__fish_decouple_using_subcommand daemon" -s q -l quiet -d 'Tell results and errors only'
complete -c decouple -n "__fish_decouple_using_subcommand daemon" -s v -l verbose -d 'Tell more of what is done'
complete -c decouple -n "__fish_decouple_using_subcommand daemon" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c decouple -n "__fish_decouple_using_subcommand daemon" -s V -l version -d 'Print version'
complete -c decouple -n "__fish_decouple_using_subcommand help; and not __fish_seen_subcommand_from validate up status outputs logs list teardown export endpoint schema completions daemon help" -f -a "validate" -d 'Check a blueprint: every mistake with its line, in one go'
complete -c decouple -n "__fish_decouple_using_subcommand help; and not __fish_seen_subcommand_from validate up status outputs logs list teardown export endpoint schema completions daemon help" -f -a "up" -d 'Provision, ship the worker, and wait until it is healthy'
complete -c decouple -n "__fish_decouple_using_subcommand help; and not __fish_seen_subcommand_from validate up status outputs logs list teardown export endpoint schema completions daemon help" -f -a "status" -d 'Show the live health of every part'
complete -c decouple -n "__fish_decouple_using_subcommand help; and not __fish_seen_subcommand_from validate up status outputs logs list teardown export endpoint schema completions daemon help" -f -a "outputs" -d 'Show where things are: URLs, names and ARNs'
complete -c decouple -n "__fish_decouple_using_subcommand help; and not __fish_seen_subcommand_from validate up status outputs logs list teardown export endpoint schema completions daemon help" -f -a "logs" -d 'Show what workers log'
complete -c decouple -n "__fish_decouple_using_subcommand help; and not __fish_seen_subcommand_from validate up status outputs logs list teardown export endpoint schema completions daemon help" -f -a "list" -d 'List all environments'
complete -c decouple -n "__fish_decouple_using_subcommand help; and not __fish_seen_subcommand_from validate up status outputs logs list teardown export endpoint schema completions daemon help" -f -a "teardown" -d 'Stop everything; keep data unless told otherwise'
complete -c decouple -n "__fish_decouple_using_subcommand help; and not __fish_seen_subcommand_from validate up status outputs logs list teardown export endpoint schema completions daemon help" -f -a "export" -d 'Write the plain CloudFormation, or print the IAM policy that is needed'
complete -c decouple -n "__fish_decouple_using_subcommand help; and not __fish_seen_subcommand_from validate up status outputs logs list teardown export endpoint schema completions daemon help" -f -a "endpoint" -d 'Run S3, SQS and SNS alone, for the tests of any project'
complete -c decouple -n "__fish_decouple_using_subcommand help; and not __fish_seen_subcommand_from validate up status outputs logs list teardown export endpoint schema completions daemon help" -f -a "schema" -d 'Print the JSON schema of blueprints'
complete -c decouple -n "__fish_decouple_using_subcommand help; and not __fish_seen_subcommand_from validate up status outputs logs list teardown export endpoint schema completions daemon help" -f -a "completions" -d 'Print the completion script of a shell'
complete -c decouple -n "__fish_decouple_using_subcommand help; and not __fish_seen_subcommand_from validate up status outputs logs list teardown export endpoint schema completions daemon help" -f -a "daemon" -d 'Run an environment\'s background process'
complete -c decouple -n "__fish_decouple_using_subcommand help; and not __fish_seen_subcommand_from validate up status outputs logs list teardown export endpoint schema completions daemon help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
