//! How traffic moves to a new revision: deployment configurations.

use super::group::Platform;

/// A deployment configuration's traffic routing (`trafficRoutingConfig` of the CodeDeploy model).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shifting {
    /// Everything at once.
    AllAtOnce,
    /// A part first, the rest after an interval.
    Canary {
        /// The first part, in percent.
        percent: u32,
        /// Minutes until the rest follows.
        minutes: u32,
    },
    /// Equal steps.
    Linear {
        /// Each step, in percent.
        percent: u32,
        /// Minutes between two steps.
        minutes: u32,
    },
}

impl Shifting {
    /// The name AWS gives the configuration, where AWS has one: note `Every1Minute` for Lambda and
    /// `Every1Minutes` for ECS (User Guide, "Working with deployment configurations"). Other numbers
    /// are configurations of one's own and go by the same words without `CodeDeployDefault.`.
    pub fn config_name(self, platform: Platform) -> String {
        let prefix = match platform {
            Platform::Lambda => "Lambda",
            Platform::Ecs => "ECS",
            Platform::Server => "",
        };
        let (name, predefined) = match self {
            Self::AllAtOnce => (format!("{prefix}AllAtOnce"), true),
            Self::Canary { percent, minutes } => (
                format!("{prefix}Canary{percent}Percent{minutes}Minutes"),
                percent == 10
                    && match platform {
                        Platform::Lambda => matches!(minutes, 5 | 10 | 15 | 30),
                        Platform::Ecs => matches!(minutes, 5 | 15),
                        Platform::Server => false,
                    },
            ),
            Self::Linear { percent, minutes } => {
                let unit = match (platform, minutes) {
                    (Platform::Lambda, 1) => "Minute",
                    (Platform::Lambda | Platform::Ecs | Platform::Server, _) => "Minutes",
                };
                (
                    format!("{prefix}Linear{percent}PercentEvery{minutes}{unit}"),
                    percent == 10
                        && match platform {
                            Platform::Lambda => matches!(minutes, 1 | 2 | 3 | 10),
                            Platform::Ecs => matches!(minutes, 1 | 3),
                            Platform::Server => false,
                        },
                )
            }
        };
        if predefined { format!("CodeDeployDefault.{name}") } else { name }
    }

    /// The predefined configuration of this name, for this platform.
    pub fn predefined(name: &str, platform: Platform) -> Option<Self> {
        let intervals = 1..=30;
        std::iter::once(Self::AllAtOnce)
            .chain(intervals.clone().map(|minutes| Self::Canary { percent: 10, minutes }))
            .chain(intervals.map(|minutes| Self::Linear { percent: 10, minutes }))
            .find(|shifting| name.starts_with("CodeDeployDefault.") && shifting.config_name(platform) == name)
    }

    /// The new revision's share, so many seconds after traffic began to move.
    pub(crate) fn percent_after(self, seconds: i64) -> u32 {
        let minutes = u32::try_from(seconds.max(0) / 60).unwrap_or(u32::MAX);
        match self {
            Self::AllAtOnce => 100,
            Self::Canary { percent, minutes: interval } => {
                if minutes >= interval {
                    100
                } else {
                    percent
                }
            }
            // The first step is taken at once.
            Self::Linear { percent, minutes: interval } => {
                let steps = 1 + minutes / interval.max(1);
                steps.saturating_mul(percent).min(100)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_user_guide() {
        let canary = Shifting::Canary { percent: 10, minutes: 5 };
        let linear = Shifting::Linear { percent: 10, minutes: 1 };
        assert_eq!(canary.config_name(Platform::Lambda), "CodeDeployDefault.LambdaCanary10Percent5Minutes");
        assert_eq!(
            linear.config_name(Platform::Lambda),
            "CodeDeployDefault.LambdaLinear10PercentEvery1Minute"
        );
        assert_eq!(linear.config_name(Platform::Ecs), "CodeDeployDefault.ECSLinear10PercentEvery1Minutes");
        assert_eq!(
            Shifting::predefined("CodeDeployDefault.ECSAllAtOnce", Platform::Ecs),
            Some(Shifting::AllAtOnce)
        );
        assert_eq!(Shifting::predefined("LambdaCanary20Percent5Minutes", Platform::Lambda), None);
    }

    #[test]
    fn linear_ends_nine_intervals_after_its_first_step() {
        let linear = Shifting::Linear { percent: 10, minutes: 3 };
        assert_eq!(linear.percent_after(0), 10);
        assert_eq!(linear.percent_after(179), 10);
        assert_eq!(linear.percent_after(180), 20);
        assert_eq!(linear.percent_after(27 * 60), 100);
    }
}
