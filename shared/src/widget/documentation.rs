//! What the dashboard's editor shows about the widget.

/// The widget's documentation, in Markdown. CloudWatch asks for it by a `describe`, and fills its box for parameters with
/// the first block of YAML (CloudWatch User Guide, "Details about custom widgets in CloudWatch").
pub const DOCUMENTATION: &str = "## Belay: releases

Every release of your services along the dashboard's time: how it ended, which alarms went off, who decided (a person,
Belay, or silence), and with a click why.

It reads Belay's ledger and changes nothing. It needs Belay's policy to know the services.

### Parameters
Param | Description
---|---
**services** | The services to show, by their names in the policy. Optional; all of them without it.

### Example parameters
``` yaml
---
services:
- checkout
```
";
