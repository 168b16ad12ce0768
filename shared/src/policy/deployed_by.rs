//! `deployed_by`: what releases a service.

use super::{path::Path, reading::Reading};
use crate::{
    release::{DeploymentGroup, Place, Stage},
    yaml::{Node, Value},
};

/// CodeDeploy's and CodePipeline's limit of a name.
const LONGEST: usize = 100;

const EXAMPLE: &str = "[ { codedeploy: { application: checkout, deployment_group: prod } } ]";

pub(super) fn read(reading: &mut Reading, node: &Node, path: &Path<'_>) -> Vec<(usize, Place)> {
    let mut all = Vec::new();
    let items = reading.list(node, path, || format!("a list such as `{EXAMPLE}`"));
    if items.is_empty() && matches!(node.value, Value::List(_)) {
        reading.wrong(node.line, path, format!("is empty; for example `deployed_by: {EXAMPLE}`"));
    }
    for (position, item) in items.iter().enumerate() {
        let path = path.at(position);
        let fields = reading.fields(item, &path, &["codedeploy", "pipeline"]);
        match (fields.get("codedeploy"), fields.get("pipeline")) {
            (Some(node), None) => {
                let path = path.to("codedeploy");
                let names = two(reading, node, &path, ["application", "deployment_group"]);
                if let Some([application, group]) = names {
                    all.push((node.line, Place::Group(DeploymentGroup { application, group })));
                }
            }
            (None, Some(node)) => {
                let path = path.to("pipeline");
                if let Some([pipeline, stage]) = two(reading, node, &path, ["name", "stage"]) {
                    all.push((node.line, Place::Stage(Stage { pipeline, stage })));
                }
            }
            (Some(_), Some(_)) => {
                reading.wrong(item.line, &path, "has both `codedeploy` and `pipeline`: write two entries");
            }
            (None, None) => {
                reading.wrong(item.line, &path, "needs `codedeploy` or `pipeline`");
            }
        }
    }
    all
}

fn two(reading: &mut Reading, node: &Node, path: &Path<'_>, names: [&str; 2]) -> Option<[String; 2]> {
    let fields = reading.fields(node, path, &names);
    let mut read = |name: &str| {
        let node = reading.required(&fields, name, "checkout")?;
        reading.text(node, &fields.path(name), "a name", LONGEST)
    };
    let (first, second) = (read(names[0]), read(names[1]));
    Some([first?, second?])
}
