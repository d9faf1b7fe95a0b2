
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'decouple' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'decouple'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'decouple' {
            [CompletionResult]::new('--stage', '--stage', [CompletionResultType]::ParameterName, 'How far the site is decoupled [default: the blueprint''s]')
            [CompletionResult]::new('--blueprint', '--blueprint', [CompletionResultType]::ParameterName, 'Blueprint to read [default: decouple.yaml if there is one, else the stage''s built-in blueprint]')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Name of the environment')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Where the site runs [default: the blueprint''s, else local]')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: the SDK''s; us-east-1 on the local target]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'AWS profile')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Form of the result')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Form of the result')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Answer every question with yes')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Answer every question with yes')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell results and errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell results and errors only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more of what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('validate', 'validate', [CompletionResultType]::ParameterValue, 'Check a blueprint: every mistake with its line, in one go')
            [CompletionResult]::new('up', 'up', [CompletionResultType]::ParameterValue, 'Provision, ship the worker, and wait until it is healthy')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show the live health of every part')
            [CompletionResult]::new('outputs', 'outputs', [CompletionResultType]::ParameterValue, 'Show where things are: URLs, names and ARNs')
            [CompletionResult]::new('logs', 'logs', [CompletionResultType]::ParameterValue, 'Show what workers log')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List all environments')
            [CompletionResult]::new('teardown', 'teardown', [CompletionResultType]::ParameterValue, 'Stop everything; keep data unless told otherwise')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Write the plain CloudFormation, or print the IAM policy that is needed')
            [CompletionResult]::new('endpoint', 'endpoint', [CompletionResultType]::ParameterValue, 'Run S3, SQS and SNS alone, for the tests of any project')
            [CompletionResult]::new('schema', 'schema', [CompletionResultType]::ParameterValue, 'Print the JSON schema of blueprints')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completion script of a shell')
            [CompletionResult]::new('daemon', 'daemon', [CompletionResultType]::ParameterValue, 'Run an environment''s background process')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'decouple;validate' {
            [CompletionResult]::new('--stage', '--stage', [CompletionResultType]::ParameterName, 'How far the site is decoupled [default: the blueprint''s]')
            [CompletionResult]::new('--blueprint', '--blueprint', [CompletionResultType]::ParameterName, 'Blueprint to read [default: decouple.yaml if there is one, else the stage''s built-in blueprint]')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Name of the environment')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Where the site runs [default: the blueprint''s, else local]')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: the SDK''s; us-east-1 on the local target]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'AWS profile')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Form of the result')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Form of the result')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Answer every question with yes')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Answer every question with yes')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell results and errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell results and errors only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more of what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'decouple;up' {
            [CompletionResult]::new('--bundle', '--bundle', [CompletionResultType]::ParameterName, 'AWS: worker bundle to ship in place of the built-in one')
            [CompletionResult]::new('--stage', '--stage', [CompletionResultType]::ParameterName, 'How far the site is decoupled [default: the blueprint''s]')
            [CompletionResult]::new('--blueprint', '--blueprint', [CompletionResultType]::ParameterName, 'Blueprint to read [default: decouple.yaml if there is one, else the stage''s built-in blueprint]')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Name of the environment')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Where the site runs [default: the blueprint''s, else local]')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: the SDK''s; us-east-1 on the local target]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'AWS profile')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Form of the result')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Form of the result')
            [CompletionResult]::new('--foreground', '--foreground', [CompletionResultType]::ParameterName, 'Local: stay in the foreground, show what workers log, and stop everything on Ctrl-C')
            [CompletionResult]::new('--express', '--express', [CompletionResultType]::ParameterName, 'AWS: CloudFormation''s express mode: resources count as made once they are configured')
            [CompletionResult]::new('--no-wait', '--no-wait', [CompletionResultType]::ParameterName, 'AWS: end when the stack is made, before instances and database are ready')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Answer every question with yes')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Answer every question with yes')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell results and errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell results and errors only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more of what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'decouple;status' {
            [CompletionResult]::new('--stage', '--stage', [CompletionResultType]::ParameterName, 'How far the site is decoupled [default: the blueprint''s]')
            [CompletionResult]::new('--blueprint', '--blueprint', [CompletionResultType]::ParameterName, 'Blueprint to read [default: decouple.yaml if there is one, else the stage''s built-in blueprint]')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Name of the environment')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Where the site runs [default: the blueprint''s, else local]')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: the SDK''s; us-east-1 on the local target]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'AWS profile')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Form of the result')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Form of the result')
            [CompletionResult]::new('--watch', '--watch', [CompletionResultType]::ParameterName, 'Look again every two seconds, until Ctrl-C')
            [CompletionResult]::new('--exit-code', '--exit-code', [CompletionResultType]::ParameterName, 'Exit with 1 when something is degraded or down')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Answer every question with yes')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Answer every question with yes')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell results and errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell results and errors only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more of what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'decouple;outputs' {
            [CompletionResult]::new('--stage', '--stage', [CompletionResultType]::ParameterName, 'How far the site is decoupled [default: the blueprint''s]')
            [CompletionResult]::new('--blueprint', '--blueprint', [CompletionResultType]::ParameterName, 'Blueprint to read [default: decouple.yaml if there is one, else the stage''s built-in blueprint]')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Name of the environment')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Where the site runs [default: the blueprint''s, else local]')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: the SDK''s; us-east-1 on the local target]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'AWS profile')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Form of the result')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Form of the result')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Answer every question with yes')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Answer every question with yes')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell results and errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell results and errors only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more of what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'decouple;logs' {
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'Leave out what is older, such as 30s, 10m or 2h')
            [CompletionResult]::new('--stage', '--stage', [CompletionResultType]::ParameterName, 'How far the site is decoupled [default: the blueprint''s]')
            [CompletionResult]::new('--blueprint', '--blueprint', [CompletionResultType]::ParameterName, 'Blueprint to read [default: decouple.yaml if there is one, else the stage''s built-in blueprint]')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Name of the environment')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Where the site runs [default: the blueprint''s, else local]')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: the SDK''s; us-east-1 on the local target]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'AWS profile')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Form of the result')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Form of the result')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Go on showing what is logged, until Ctrl-C')
            [CompletionResult]::new('--follow', '--follow', [CompletionResultType]::ParameterName, 'Go on showing what is logged, until Ctrl-C')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Answer every question with yes')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Answer every question with yes')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell results and errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell results and errors only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more of what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'decouple;list' {
            [CompletionResult]::new('--stage', '--stage', [CompletionResultType]::ParameterName, 'How far the site is decoupled [default: the blueprint''s]')
            [CompletionResult]::new('--blueprint', '--blueprint', [CompletionResultType]::ParameterName, 'Blueprint to read [default: decouple.yaml if there is one, else the stage''s built-in blueprint]')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Name of the environment')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Where the site runs [default: the blueprint''s, else local]')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: the SDK''s; us-east-1 on the local target]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'AWS profile')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Form of the result')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Form of the result')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Answer every question with yes')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Answer every question with yes')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell results and errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell results and errors only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more of what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'decouple;teardown' {
            [CompletionResult]::new('--stage', '--stage', [CompletionResultType]::ParameterName, 'How far the site is decoupled [default: the blueprint''s]')
            [CompletionResult]::new('--blueprint', '--blueprint', [CompletionResultType]::ParameterName, 'Blueprint to read [default: decouple.yaml if there is one, else the stage''s built-in blueprint]')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Name of the environment')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Where the site runs [default: the blueprint''s, else local]')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: the SDK''s; us-east-1 on the local target]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'AWS profile')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Form of the result')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Form of the result')
            [CompletionResult]::new('--delete-data', '--delete-data', [CompletionResultType]::ParameterName, 'Remove photos, records, tasks and logs too')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Answer every question with yes')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Answer every question with yes')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell results and errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell results and errors only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more of what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'decouple;export' {
            [CompletionResult]::new('--dir', '--dir', [CompletionResultType]::ParameterName, 'Write template, parameters and worker bundle into this directory')
            [CompletionResult]::new('--bundle', '--bundle', [CompletionResultType]::ParameterName, 'Worker bundle to export in place of the one that `up` would ship')
            [CompletionResult]::new('--artifact-bucket', '--artifact-bucket', [CompletionResultType]::ParameterName, 'Bucket that the bundle will be in [default: left to the deployment]')
            [CompletionResult]::new('--policy', '--policy', [CompletionResultType]::ParameterName, 'Print the least IAM policy that is needed')
            [CompletionResult]::new('--stage', '--stage', [CompletionResultType]::ParameterName, 'How far the site is decoupled [default: the blueprint''s]')
            [CompletionResult]::new('--blueprint', '--blueprint', [CompletionResultType]::ParameterName, 'Blueprint to read [default: decouple.yaml if there is one, else the stage''s built-in blueprint]')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Name of the environment')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Where the site runs [default: the blueprint''s, else local]')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: the SDK''s; us-east-1 on the local target]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'AWS profile')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Form of the result')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Form of the result')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Answer every question with yes')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Answer every question with yes')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell results and errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell results and errors only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more of what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'decouple;endpoint' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Port; 0 takes any that is free [default: 4566, or any with a COMMAND]')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Port; 0 takes any that is free [default: 4566, or any with a COMMAND]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Directory to keep everything in [default: a temporary one, removed at the end]')
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Directory to keep everything in [default: a temporary one, removed at the end]')
            [CompletionResult]::new('--access-key-id', '--access-key-id', [CompletionResultType]::ParameterName, 'Access key id that requests must be signed with')
            [CompletionResult]::new('--secret-access-key', '--secret-access-key', [CompletionResultType]::ParameterName, 'Secret access key that requests must be signed with')
            [CompletionResult]::new('--account', '--account', [CompletionResultType]::ParameterName, 'Account in ARNs and queue URLs')
            [CompletionResult]::new('--listen', '--listen', [CompletionResultType]::ParameterName, 'Address to listen on; any other than loopback lets other machines in')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Name, besides localhost, that requests may be addressed to (that of a container, say); may be repeated')
            [CompletionResult]::new('--stage', '--stage', [CompletionResultType]::ParameterName, 'How far the site is decoupled [default: the blueprint''s]')
            [CompletionResult]::new('--blueprint', '--blueprint', [CompletionResultType]::ParameterName, 'Blueprint to read [default: decouple.yaml if there is one, else the stage''s built-in blueprint]')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Name of the environment')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Where the site runs [default: the blueprint''s, else local]')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: the SDK''s; us-east-1 on the local target]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'AWS profile')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Form of the result')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Form of the result')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Answer every question with yes')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Answer every question with yes')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell results and errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell results and errors only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more of what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'decouple;schema' {
            [CompletionResult]::new('--stage', '--stage', [CompletionResultType]::ParameterName, 'How far the site is decoupled [default: the blueprint''s]')
            [CompletionResult]::new('--blueprint', '--blueprint', [CompletionResultType]::ParameterName, 'Blueprint to read [default: decouple.yaml if there is one, else the stage''s built-in blueprint]')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Name of the environment')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Where the site runs [default: the blueprint''s, else local]')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: the SDK''s; us-east-1 on the local target]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'AWS profile')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Form of the result')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Form of the result')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Answer every question with yes')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Answer every question with yes')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell results and errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell results and errors only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more of what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'decouple;completions' {
            [CompletionResult]::new('--stage', '--stage', [CompletionResultType]::ParameterName, 'How far the site is decoupled [default: the blueprint''s]')
            [CompletionResult]::new('--blueprint', '--blueprint', [CompletionResultType]::ParameterName, 'Blueprint to read [default: decouple.yaml if there is one, else the stage''s built-in blueprint]')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Name of the environment')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Where the site runs [default: the blueprint''s, else local]')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: the SDK''s; us-east-1 on the local target]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'AWS profile')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Form of the result')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Form of the result')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Answer every question with yes')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Answer every question with yes')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell results and errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell results and errors only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more of what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'decouple;daemon' {
            [CompletionResult]::new('--stage', '--stage', [CompletionResultType]::ParameterName, 'How far the site is decoupled [default: the blueprint''s]')
            [CompletionResult]::new('--blueprint', '--blueprint', [CompletionResultType]::ParameterName, 'Blueprint to read [default: decouple.yaml if there is one, else the stage''s built-in blueprint]')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Name of the environment')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Where the site runs [default: the blueprint''s, else local]')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: the SDK''s; us-east-1 on the local target]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'AWS profile')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Form of the result')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Form of the result')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Answer every question with yes')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Answer every question with yes')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell results and errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell results and errors only')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more of what is done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more of what is done')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'decouple;help' {
            [CompletionResult]::new('validate', 'validate', [CompletionResultType]::ParameterValue, 'Check a blueprint: every mistake with its line, in one go')
            [CompletionResult]::new('up', 'up', [CompletionResultType]::ParameterValue, 'Provision, ship the worker, and wait until it is healthy')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show the live health of every part')
            [CompletionResult]::new('outputs', 'outputs', [CompletionResultType]::ParameterValue, 'Show where things are: URLs, names and ARNs')
            [CompletionResult]::new('logs', 'logs', [CompletionResultType]::ParameterValue, 'Show what workers log')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List all environments')
            [CompletionResult]::new('teardown', 'teardown', [CompletionResultType]::ParameterValue, 'Stop everything; keep data unless told otherwise')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Write the plain CloudFormation, or print the IAM policy that is needed')
            [CompletionResult]::new('endpoint', 'endpoint', [CompletionResultType]::ParameterValue, 'Run S3, SQS and SNS alone, for the tests of any project')
            [CompletionResult]::new('schema', 'schema', [CompletionResultType]::ParameterValue, 'Print the JSON schema of blueprints')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completion script of a shell')
            [CompletionResult]::new('daemon', 'daemon', [CompletionResultType]::ParameterValue, 'Run an environment''s background process')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'decouple;help;validate' {
            break
        }
        'decouple;help;up' {
            break
        }
        'decouple;help;status' {
            break
        }
        'decouple;help;outputs' {
            break
        }
        'decouple;help;logs' {
            break
        }
        'decouple;help;list' {
            break
        }
        'decouple;help;teardown' {
            break
        }
        'decouple;help;export' {
            break
        }
        'decouple;help;endpoint' {
            break
        }
        'decouple;help;schema' {
            break
        }
        'decouple;help;completions' {
            break
        }
        'decouple;help;daemon' {
            break
        }
        'decouple;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
