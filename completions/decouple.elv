
use builtin;
use str;

set edit:completion:arg-completer[decouple] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'decouple'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'decouple'= {
            cand --stage 'How far the site is decoupled [default: the blueprint''s]'
            cand --blueprint 'Blueprint to read [default: decouple.yaml if there is one, else the stage''s built-in blueprint]'
            cand --env 'Name of the environment'
            cand --target 'Where the site runs [default: the blueprint''s, else local]'
            cand --region 'AWS region [default: the SDK''s; us-east-1 on the local target]'
            cand --profile 'AWS profile'
            cand -o 'Form of the result'
            cand --output 'Form of the result'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -q 'Tell results and errors only'
            cand --quiet 'Tell results and errors only'
            cand -v 'Tell more of what is done'
            cand --verbose 'Tell more of what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand validate 'Check a blueprint: every mistake with its line, in one go'
            cand up 'Provision, ship the worker, and wait until it is healthy'
            cand status 'Show the live health of every part'
            cand outputs 'Show where things are: URLs, names and ARNs'
            cand logs 'Show what workers log'
            cand list 'List all environments'
            cand teardown 'Stop everything; keep data unless told otherwise'
            cand export 'Write the plain CloudFormation, or print the IAM policy that is needed'
            cand endpoint 'Run S3, SQS and SNS alone, for the tests of any project'
            cand schema 'Print the JSON schema of blueprints'
            cand completions 'Print the completion script of a shell'
            cand daemon 'Run an environment''s background process'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'decouple;validate'= {
            cand --stage 'How far the site is decoupled [default: the blueprint''s]'
            cand --blueprint 'Blueprint to read [default: decouple.yaml if there is one, else the stage''s built-in blueprint]'
            cand --env 'Name of the environment'
            cand --target 'Where the site runs [default: the blueprint''s, else local]'
            cand --region 'AWS region [default: the SDK''s; us-east-1 on the local target]'
            cand --profile 'AWS profile'
            cand -o 'Form of the result'
            cand --output 'Form of the result'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -q 'Tell results and errors only'
            cand --quiet 'Tell results and errors only'
            cand -v 'Tell more of what is done'
            cand --verbose 'Tell more of what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'decouple;up'= {
            cand --bundle 'AWS: worker bundle to ship in place of the built-in one'
            cand --stage 'How far the site is decoupled [default: the blueprint''s]'
            cand --blueprint 'Blueprint to read [default: decouple.yaml if there is one, else the stage''s built-in blueprint]'
            cand --env 'Name of the environment'
            cand --target 'Where the site runs [default: the blueprint''s, else local]'
            cand --region 'AWS region [default: the SDK''s; us-east-1 on the local target]'
            cand --profile 'AWS profile'
            cand -o 'Form of the result'
            cand --output 'Form of the result'
            cand --foreground 'Local: stay in the foreground, show what workers log, and stop everything on Ctrl-C'
            cand --express 'AWS: CloudFormation''s express mode: resources count as made once they are configured'
            cand --no-wait 'AWS: end when the stack is made, before instances and database are ready'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -q 'Tell results and errors only'
            cand --quiet 'Tell results and errors only'
            cand -v 'Tell more of what is done'
            cand --verbose 'Tell more of what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'decouple;status'= {
            cand --stage 'How far the site is decoupled [default: the blueprint''s]'
            cand --blueprint 'Blueprint to read [default: decouple.yaml if there is one, else the stage''s built-in blueprint]'
            cand --env 'Name of the environment'
            cand --target 'Where the site runs [default: the blueprint''s, else local]'
            cand --region 'AWS region [default: the SDK''s; us-east-1 on the local target]'
            cand --profile 'AWS profile'
            cand -o 'Form of the result'
            cand --output 'Form of the result'
            cand --watch 'Look again every two seconds, until Ctrl-C'
            cand --exit-code 'Exit with 1 when something is degraded or down'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -q 'Tell results and errors only'
            cand --quiet 'Tell results and errors only'
            cand -v 'Tell more of what is done'
            cand --verbose 'Tell more of what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'decouple;outputs'= {
            cand --stage 'How far the site is decoupled [default: the blueprint''s]'
            cand --blueprint 'Blueprint to read [default: decouple.yaml if there is one, else the stage''s built-in blueprint]'
            cand --env 'Name of the environment'
            cand --target 'Where the site runs [default: the blueprint''s, else local]'
            cand --region 'AWS region [default: the SDK''s; us-east-1 on the local target]'
            cand --profile 'AWS profile'
            cand -o 'Form of the result'
            cand --output 'Form of the result'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -q 'Tell results and errors only'
            cand --quiet 'Tell results and errors only'
            cand -v 'Tell more of what is done'
            cand --verbose 'Tell more of what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'decouple;logs'= {
            cand --since 'Leave out what is older, such as 30s, 10m or 2h'
            cand --stage 'How far the site is decoupled [default: the blueprint''s]'
            cand --blueprint 'Blueprint to read [default: decouple.yaml if there is one, else the stage''s built-in blueprint]'
            cand --env 'Name of the environment'
            cand --target 'Where the site runs [default: the blueprint''s, else local]'
            cand --region 'AWS region [default: the SDK''s; us-east-1 on the local target]'
            cand --profile 'AWS profile'
            cand -o 'Form of the result'
            cand --output 'Form of the result'
            cand -f 'Go on showing what is logged, until Ctrl-C'
            cand --follow 'Go on showing what is logged, until Ctrl-C'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -q 'Tell results and errors only'
            cand --quiet 'Tell results and errors only'
            cand -v 'Tell more of what is done'
            cand --verbose 'Tell more of what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'decouple;list'= {
            cand --stage 'How far the site is decoupled [default: the blueprint''s]'
            cand --blueprint 'Blueprint to read [default: decouple.yaml if there is one, else the stage''s built-in blueprint]'
            cand --env 'Name of the environment'
            cand --target 'Where the site runs [default: the blueprint''s, else local]'
            cand --region 'AWS region [default: the SDK''s; us-east-1 on the local target]'
            cand --profile 'AWS profile'
            cand -o 'Form of the result'
            cand --output 'Form of the result'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -q 'Tell results and errors only'
            cand --quiet 'Tell results and errors only'
            cand -v 'Tell more of what is done'
            cand --verbose 'Tell more of what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'decouple;teardown'= {
            cand --stage 'How far the site is decoupled [default: the blueprint''s]'
            cand --blueprint 'Blueprint to read [default: decouple.yaml if there is one, else the stage''s built-in blueprint]'
            cand --env 'Name of the environment'
            cand --target 'Where the site runs [default: the blueprint''s, else local]'
            cand --region 'AWS region [default: the SDK''s; us-east-1 on the local target]'
            cand --profile 'AWS profile'
            cand -o 'Form of the result'
            cand --output 'Form of the result'
            cand --delete-data 'Remove photos, records, tasks and logs too'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -q 'Tell results and errors only'
            cand --quiet 'Tell results and errors only'
            cand -v 'Tell more of what is done'
            cand --verbose 'Tell more of what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'decouple;export'= {
            cand --dir 'Write template, parameters and worker bundle into this directory'
            cand --bundle 'Worker bundle to export in place of the one that `up` would ship'
            cand --artifact-bucket 'Bucket that the bundle will be in [default: left to the deployment]'
            cand --policy 'Print the least IAM policy that is needed'
            cand --stage 'How far the site is decoupled [default: the blueprint''s]'
            cand --blueprint 'Blueprint to read [default: decouple.yaml if there is one, else the stage''s built-in blueprint]'
            cand --env 'Name of the environment'
            cand --target 'Where the site runs [default: the blueprint''s, else local]'
            cand --region 'AWS region [default: the SDK''s; us-east-1 on the local target]'
            cand --profile 'AWS profile'
            cand -o 'Form of the result'
            cand --output 'Form of the result'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -q 'Tell results and errors only'
            cand --quiet 'Tell results and errors only'
            cand -v 'Tell more of what is done'
            cand --verbose 'Tell more of what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'decouple;endpoint'= {
            cand -p 'Port; 0 takes any that is free [default: 4566, or any with a COMMAND]'
            cand --port 'Port; 0 takes any that is free [default: 4566, or any with a COMMAND]'
            cand -d 'Directory to keep everything in [default: a temporary one, removed at the end]'
            cand --data-dir 'Directory to keep everything in [default: a temporary one, removed at the end]'
            cand --access-key-id 'Access key id that requests must be signed with'
            cand --secret-access-key 'Secret access key that requests must be signed with'
            cand --account 'Account in ARNs and queue URLs'
            cand --listen 'Address to listen on; any other than loopback lets other machines in'
            cand --host 'Name, besides localhost, that requests may be addressed to (that of a container, say); may be repeated'
            cand --stage 'How far the site is decoupled [default: the blueprint''s]'
            cand --blueprint 'Blueprint to read [default: decouple.yaml if there is one, else the stage''s built-in blueprint]'
            cand --env 'Name of the environment'
            cand --target 'Where the site runs [default: the blueprint''s, else local]'
            cand --region 'AWS region [default: the SDK''s; us-east-1 on the local target]'
            cand --profile 'AWS profile'
            cand -o 'Form of the result'
            cand --output 'Form of the result'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -q 'Tell results and errors only'
            cand --quiet 'Tell results and errors only'
            cand -v 'Tell more of what is done'
            cand --verbose 'Tell more of what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'decouple;schema'= {
            cand --stage 'How far the site is decoupled [default: the blueprint''s]'
            cand --blueprint 'Blueprint to read [default: decouple.yaml if there is one, else the stage''s built-in blueprint]'
            cand --env 'Name of the environment'
            cand --target 'Where the site runs [default: the blueprint''s, else local]'
            cand --region 'AWS region [default: the SDK''s; us-east-1 on the local target]'
            cand --profile 'AWS profile'
            cand -o 'Form of the result'
            cand --output 'Form of the result'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -q 'Tell results and errors only'
            cand --quiet 'Tell results and errors only'
            cand -v 'Tell more of what is done'
            cand --verbose 'Tell more of what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'decouple;completions'= {
            cand --stage 'How far the site is decoupled [default: the blueprint''s]'
            cand --blueprint 'Blueprint to read [default: decouple.yaml if there is one, else the stage''s built-in blueprint]'
            cand --env 'Name of the environment'
            cand --target 'Where the site runs [default: the blueprint''s, else local]'
            cand --region 'AWS region [default: the SDK''s; us-east-1 on the local target]'
            cand --profile 'AWS profile'
            cand -o 'Form of the result'
            cand --output 'Form of the result'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -q 'Tell results and errors only'
            cand --quiet 'Tell results and errors only'
            cand -v 'Tell more of what is done'
            cand --verbose 'Tell more of what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'decouple;daemon'= {
            cand --stage 'How far the site is decoupled [default: the blueprint''s]'
            cand --blueprint 'Blueprint to read [default: decouple.yaml if there is one, else the stage''s built-in blueprint]'
            cand --env 'Name of the environment'
            cand --target 'Where the site runs [default: the blueprint''s, else local]'
            cand --region 'AWS region [default: the SDK''s; us-east-1 on the local target]'
            cand --profile 'AWS profile'
            cand -o 'Form of the result'
            cand --output 'Form of the result'
            cand -y 'Answer every question with yes'
            cand --yes 'Answer every question with yes'
            cand -q 'Tell results and errors only'
            cand --quiet 'Tell results and errors only'
            cand -v 'Tell more of what is done'
            cand --verbose 'Tell more of what is done'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'decouple;help'= {
            cand validate 'Check a blueprint: every mistake with its line, in one go'
            cand up 'Provision, ship the worker, and wait until it is healthy'
            cand status 'Show the live health of every part'
            cand outputs 'Show where things are: URLs, names and ARNs'
            cand logs 'Show what workers log'
            cand list 'List all environments'
            cand teardown 'Stop everything; keep data unless told otherwise'
            cand export 'Write the plain CloudFormation, or print the IAM policy that is needed'
            cand endpoint 'Run S3, SQS and SNS alone, for the tests of any project'
            cand schema 'Print the JSON schema of blueprints'
            cand completions 'Print the completion script of a shell'
            cand daemon 'Run an environment''s background process'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'decouple;help;validate'= {
        }
        &'decouple;help;up'= {
        }
        &'decouple;help;status'= {
        }
        &'decouple;help;outputs'= {
        }
        &'decouple;help;logs'= {
        }
        &'decouple;help;list'= {
        }
        &'decouple;help;teardown'= {
        }
        &'decouple;help;export'= {
        }
        &'decouple;help;endpoint'= {
        }
        &'decouple;help;schema'= {
        }
        &'decouple;help;completions'= {
        }
        &'decouple;help;daemon'= {
        }
        &'decouple;help;help'= {
        }
    ]
    $completions[$command]
}
