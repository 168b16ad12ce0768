"""Tests of the release itself, against a small CodeDeploy: python3 -m unittest discover --start-directory release"""

import pathlib
import sys
import unittest

import deploy
import verify

HERE = pathlib.Path(__file__).resolve().parent
TEMPLATE = (HERE.parent / "appspec.yaml").read_text(encoding="utf-8").replace("<TARGET_VERSION>", "42")


class Account:
    """What deploy.py sees of an account: one alias, one group. It refuses what CodeDeploy would."""

    def __init__(self, live="41", ends="Succeeded"):
        self.live, self.weights, self.ends = live, {}, ends
        self.deployments = []
        self.others = 0  # for so many looks somebody else's deployment runs

    def __call__(self, service, operation, **asked):
        return getattr(self, f"{service}_{operation.replace('-', '_')}")(**asked)

    def lambda_get_alias(self, FunctionName, Name):
        assert (FunctionName, Name) == ("search", "live")
        return {"FunctionVersion": self.live, "RoutingConfig": {"AdditionalVersionWeights": self.weights}}

    def deploy_list_deployments(self, applicationName, deploymentGroupName, includeOnlyStatuses):
        assert "InProgress" in includeOnlyStatuses
        self.others -= 1
        return {"deployments": ["d-OTHER"] if self.others >= 0 else []}

    def deploy_create_deployment(self, **asked):
        assert self.others < 0, "DeploymentLimitExceededException"
        assert len(asked["description"]) <= 256, "DescriptionTooLongException"
        text = asked["revision"]["appSpecContent"]["content"]
        assert f'currentversion: "{self.live}"' in text, "the alias is at another version"
        self.deployments.append(asked | {"text": text, "looks": 0})
        return {"deploymentId": f"d-{len(self.deployments)}"}

    def deploy_get_deployment(self, deploymentId):
        last = self.deployments[-1]
        last["looks"] += 1
        if last["looks"] < 3:
            return {"deploymentInfo": {"status": "InProgress"}}
        if self.ends == "Succeeded":
            self.live = "42"
            return {"deploymentInfo": {"status": "Succeeded"}}
        return {"deploymentInfo": {"status": self.ends, "errorInformation": {"code": "MANUAL_STOP", "message": "stopped"}}}


class Release(unittest.TestCase):
    def run_in(self, account):
        return deploy.release(TEMPLATE, "c0ffee", aws=account, sleep=lambda _: None)

    def test_shifts_the_alias_with_hooks_and_the_groups_own_canary(self):
        account = Account()
        self.assertEqual(self.run_in(account), "version 42 is live")
        self.assertEqual(account.live, "42")
        [made] = account.deployments
        self.assertIn("BeforeAllowTraffic: CodeDeployHook_belay", made["text"])
        self.assertNotIn("deploymentConfigName", made)
        self.assertNotIn("<", made["text"])

    def test_what_is_live_is_not_deployed_again(self):
        account = Account(live="42")
        self.assertIn("nothing to do", self.run_in(account))
        self.assertEqual(account.deployments, [])

    def test_waits_for_whoever_is_going_back(self):
        account = Account()
        account.others = 3
        self.assertEqual(self.run_in(account), "version 42 is live")

    def test_gives_up_on_another_deployment_that_never_ends(self):
        account = Account()
        account.others = 1_000
        with self.assertRaisesRegex(deploy.NotReleased, "d-OTHER"):
            self.run_in(account)
        self.assertEqual(account.deployments, [])

    def test_a_halted_release_is_left_alone(self):
        account = Account()
        account.weights = {"43": 0.1}
        with self.assertRaisesRegex(deploy.NotReleased, "halted"):
            self.run_in(account)
        self.assertEqual(account.deployments, [])

    def test_going_back_asks_nobody_and_is_at_once(self):
        account = Account(live="43")
        self.run_in(account)
        [made] = account.deployments
        self.assertEqual(made["deploymentConfigName"], "CodeDeployDefault.LambdaAllAtOnce")
        self.assertNotIn("hooks", made["text"].split("resources:")[1])

    def test_a_release_that_is_taken_back_fails(self):
        for end in ["Stopped", "Failed"]:
            with self.subTest(end=end), self.assertRaisesRegex(deploy.NotReleased, f"d-1 {end}: MANUAL_STOP stopped"):
                self.run_in(Account(ends=end))

    def test_a_version_must_be_named(self):
        with self.assertRaisesRegex(deploy.NotReleased, "no published version"):
            deploy.release(TEMPLATE.replace('"42"', '"$LATEST"'), "", aws=Account(), sleep=lambda _: None)

    def test_the_description_says_who_wants_it_and_fits(self):
        execution = "0f1e2d3c-0000-4000-8000-000000000000"
        self.assertEqual(
            deploy.describe("c0ffee" * 7, execution, "anna@example.com\nx"),
            f"c0ffeec0ffee, execution {execution}\nbelay: requested-by anna@example.com x",
        )
        self.assertLessEqual(len(deploy.describe("c" * 40, execution, "a" * 300)), 256)
        self.assertNotIn("requested-by", deploy.describe("c" * 40, execution, ""))

    def test_the_programs_last_check_agrees_with_the_program(self):
        sys.path.insert(0, str(HERE.parent / "app"))
        import search
        from urllib.parse import parse_qsl, urlsplit

        def ask(url):
            parts = urlsplit(url)
            return search.answer("GET", parts.path, dict(parse_qsl(parts.query)))[1]

        self.assertEqual(list(verify.mistakes("https://search.example.com", ask)), [])
        self.assertEqual(len(list(verify.mistakes("https://search.example.com", lambda _: {}))), len(verify.CASES))


if __name__ == "__main__":
    unittest.main()
