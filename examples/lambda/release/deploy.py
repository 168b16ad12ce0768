"""Releases a published version of search through CodeDeploy, and waits for how it ends.

    python3 release/deploy.py appspec.yaml        needs COMMIT, EXECUTION and AUTHOR in the environment

CodePipeline's own CodeDeploy actions deploy to servers and to ECS, not to Lambda, so the pipeline runs this. It exits
1 if the release did not end well. It can be run again: what is live already is not deployed a second time.
"""

import json
import os
import re
import subprocess
import sys
import time

FUNCTION, ALIAS = "search", "live"
APPLICATION, GROUP = "search", "prod"
RUNNING = ["Created", "Queued", "InProgress", "Baking", "Ready"]
LONGEST_DESCRIPTION = 256  # CreateDeployment's limit, in characters


class NotReleased(Exception):
    """The version does not serve users now; its text says why."""


def aws(service, operation, **parameters):
    """One call by the AWS CLI, which CodeBuild's images bring; its JSON answer."""
    command = ["aws", service, operation, "--output", "json", "--cli-input-json", json.dumps(parameters)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise NotReleased(f"{service} {operation}: {done.stderr.strip()}")
    return json.loads(done.stdout) if done.stdout.strip() else {}


def release(template, description, aws=aws, sleep=time.sleep):
    """Shifts the alias to the template's target version. Returns a sentence, or raises NotReleased."""
    target = re.search(r'^\s*targetversion: "(\d+)"$', template, re.MULTILINE)
    if not target:
        raise NotReleased("the AppSpec names no published version")
    target = target[1]
    wait_for_others(aws, sleep)
    alias = aws("lambda", "get-alias", FunctionName=FUNCTION, Name=ALIAS)
    current = alias["FunctionVersion"]
    if (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights"):
        # Stopped half way, and not taken back: somebody halted it on purpose, perhaps because it must not go back.
        raise NotReleased(f"{ALIAS} is split over two versions: a release was halted. Point it at one version first")
    if current == target:
        return f"version {target} is live already; there is nothing to do"
    text = template.replace("<CURRENT_VERSION>", current)
    asked = {"applicationName": APPLICATION, "deploymentGroupName": GROUP, "description": description[:LONGEST_DESCRIPTION]}
    if int(target) < int(current):
        # CodePipeline rolls the stage back: users are hurt, and the version has been asked about before. All at once,
        # and no hook, which could wait for a person.
        text = text.split("\nhooks:")[0] + "\n"
        asked["deploymentConfigName"] = "CodeDeployDefault.LambdaAllAtOnce"
    asked["revision"] = {"revisionType": "AppSpecContent", "appSpecContent": {"content": text}}
    deployment = aws("deploy", "create-deployment", **asked)["deploymentId"]
    print(f"{deployment}: from version {current} to {target}", flush=True)
    return follow(aws, sleep, deployment, target)


def wait_for_others(aws, sleep, tries=90, pause=10):
    """A group takes one deployment at a time: CodeDeploy, or Belay, may be going back at this moment."""
    for _ in range(tries):
        names = {"applicationName": APPLICATION, "deploymentGroupName": GROUP}
        running = aws("deploy", "list-deployments", includeOnlyStatuses=RUNNING, **names)["deployments"]
        if not running:
            return
        print(f"waiting for {', '.join(running)}", flush=True)
        sleep(pause)
    raise NotReleased(f"another deployment runs still: {', '.join(running)}")


def follow(aws, sleep, deployment, target, pause=10):
    """Waits for a deployment's end. CodeBuild's timeout ends the waiting, and the deployment goes on."""
    said = None
    while True:
        found = aws("deploy", "get-deployment", deploymentId=deployment)["deploymentInfo"]
        status = found["status"]
        if status != said:
            print(f"{deployment}: {status}", flush=True)
            said = status
        if status == "Succeeded":
            return f"version {target} is live"
        if status in ("Failed", "Stopped"):
            error = found.get("errorInformation") or {}
            raise NotReleased(f"{deployment} {status}: {error.get('code', '')} {error.get('message', '')}".strip())
        sleep(pause)


def describe(commit, execution, author):
    """What the deployment says of itself. Belay reads the second line: who wanted a release may not approve it."""
    first = f"{commit[:12]}, execution {execution}"
    # One line, and not longer than is left; an address is far shorter.
    author = " ".join(author.split())[: LONGEST_DESCRIPTION - len(first) - 30]
    return f"{first}\nbelay: requested-by {author}" if author else first


def main(path):
    with open(path, encoding="utf-8") as file:
        template = file.read()
    description = describe(os.environ["COMMIT"], os.environ["EXECUTION"], os.environ.get("AUTHOR", ""))
    try:
        print(release(template, description))
    except NotReleased as why:
        sys.exit(str(why))


if __name__ == "__main__":
    main(sys.argv[1])
