//! What can go wrong between a caller and AWS, on request.

use std::time::Duration;

use crate::journal::Service;
use crate::refusal::Refusal;

/// A way for one call to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Refused for its rate, with the service's own throttling code.
    Throttle,
    /// HTTP 500.
    InternalError,
    /// The connection is cut before anything happened.
    CutConnection,
    /// The effect happens and then the connection is cut: the caller cannot know.
    TimeoutAfterEffect,
    /// The service stays silent for this long, in *real* time, and then answers as usual.
    Hang(Duration),
}

/// The faults still to come.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    by_operation: Vec<(String, Fault, u32)>,
    every: Option<(u32, Fault)>,
    calls: u32,
}

impl Faults {
    pub(crate) fn add(&mut self, operation: &str, fault: Fault, times: u32) {
        self.by_operation.push((operation.to_owned(), fault, times));
    }

    pub(crate) fn every(&mut self, n: u32, fault: Fault) {
        assert!(n > 0, "every 0th call is no call at all");
        self.every = Some((n, fault));
        self.calls = 0;
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The fault that befalls the next call of this operation, in the order they were asked for.
    pub(crate) fn strike(&mut self, operation: &str) -> Option<Fault> {
        self.calls += 1;
        if let Some((_, fault, times)) =
            self.by_operation.iter_mut().find(|(name, _, times)| name == operation && *times > 0)
        {
            *times -= 1;
            return Some(*fault);
        }
        let (n, fault) = self.every?;
        self.calls.is_multiple_of(n).then_some(fault)
    }
}

/// Throttling, in the word each service uses for it. CodeDeploy models ThrottlingException on four
/// operations only and sends it on all (botocore model), CodePipeline models it on none; CloudWatch and
/// SNS say Throttling; Lambda models its own, with HTTP 429.
pub(crate) fn throttled(service: Service) -> Refusal {
    let code = match service {
        Service::CodeDeploy
        | Service::CodePipeline
        | Service::SecretsManager
        | Service::CodeBuild
        | Service::Logs
        | Service::Ecs
        // Chat products do not come this way: theirs are in `chat`.
        | Service::Slack
        | Service::Teams
        | Service::Unknown => "ThrottlingException",
        Service::CloudFormation => "Throttling",
        Service::CloudWatch | Service::Sns | Service::Sts | Service::LoadBalancing => "Throttling",
        Service::Lambda => {
            let refusal = Refusal::new("TooManyRequestsException", "Rate Exceeded.");
            return Refusal { status: 429, ..refusal };
        }
        Service::DynamoDb => "ProvisionedThroughputExceededException",
    };
    Refusal::new(code, "Rate exceeded")
}

pub(crate) fn internal_error(service: Service) -> Refusal {
    let code = match service {
        Service::CodeDeploy | Service::CodePipeline | Service::Slack | Service::Teams | Service::Unknown => {
            "InternalFailure"
        }
        // Neither models an error of its own for this; the common one is "Common errors" of their API references.
        Service::CodeBuild | Service::LoadBalancing => "InternalFailure",
        // botocore models of logs and ecs. The former's status is 503; the 500 here is an approximation.
        Service::Logs => "ServiceUnavailableException",
        Service::Ecs => "ServerException",
        Service::SecretsManager => "InternalServiceError",
        Service::Lambda => "ServiceException",
        Service::CloudFormation => "InternalFailure",
        Service::CloudWatch => "InternalServiceFault",
        Service::Sns => "InternalError",
        Service::Sts => "InternalFailure",
        Service::DynamoDb => "InternalServerError",
    };
    Refusal { status: 500, ..Refusal::new(code, "An internal error occurred.") }
}
