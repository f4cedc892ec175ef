// A program of the Automation API: a run with a secret, a batch, and the wait for it.
import com.google.gson.Gson;
import com.pulumi.Context;
import com.pulumi.automation.ConfigValue;
import com.pulumi.automation.LocalWorkspace;
import com.pulumi.automation.OperationType;
import com.pulumi.core.Output;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import pulumi.vod.VodFunctions;
import pulumi.vod.WorkflowBatch;
import pulumi.vod.WorkflowBatchArgs;
import pulumi.vod.WorkflowCompletion;
import pulumi.vod.WorkflowCompletionArgs;
import pulumi.vod.WorkflowRun;
import pulumi.vod.WorkflowRunArgs;
import pulumi.vod.inputs.GetRunArgs;
import pulumi.vod.inputs.LogoOverrideArgs;
import pulumi.vod.inputs.OverrideParamsArgs;
import pulumi.vod.inputs.WorkflowDefaultsArgs;
import pulumi.vod.inputs.WorkflowItemArgs;
import pulumi.vod.inputs.WorkflowParamsArgs;

public class Story {
    static void program(Context context) {
        var logo = LogoOverrideArgs.builder().templateId("All").vars(Map.of("Keyword", "水印")).build();
        var run = new WorkflowRun("run", WorkflowRunArgs.builder()
            .vid(Output.ofSecret("s3cr3t-vid"))
            .templateId("t1")
            .triggers(Map.of("edition", 1, "half", 0.5))
            .input(WorkflowParamsArgs.builder()
                .overrideParams(OverrideParamsArgs.builder().logo(logo).build())
                .build())
            .build());
        var batch = new WorkflowBatch("batch", WorkflowBatchArgs.builder()
            .items(Map.of(
                "e1", WorkflowItemArgs.builder().vid("v1").build(),
                "e2", WorkflowItemArgs.builder().vid("v2").priority(2).build()))
            .defaults(WorkflowDefaultsArgs.builder().templateId("t2").build())
            .build());
        var ids = batch.runs().applyValue(runs -> runs.entrySet().stream().collect(
            Collectors.toMap(Map.Entry::getKey, item -> (Object) item.getValue().runId())));
        var done = new WorkflowCompletion("done",
            WorkflowCompletionArgs.builder().runs(ids).timeout("5m").build());
        var found = VodFunctions.getRun(GetRunArgs.builder()
            .runId(batch.runs().applyValue(runs -> runs.get("e1").runId()))
            .build());
        context.export("runId", run.runId());
        context.export("endpoint", run.endpoint());
        // This SDK reads outputs that are texts only.
        context.export("phases", done.results().applyValue(
            results -> results.get("e1").phase().getValue() + " " + results.get("e2").phase().getValue()));
        context.export("templateId", found.applyValue(it -> it.templateId().get()));
    }

    static Map<String, Integer> byName(Map<OperationType, Integer> changes) {
        var named = new HashMap<String, Integer>();
        changes.forEach((type, count) -> named.put(type.name().toLowerCase(), count));
        return named;
    }

    public static void main(String[] arguments) throws Exception {
        try (var stack = LocalWorkspace.createOrSelectStack("languages", "test", Story::program)) {
            Map<?, ?> config = new Gson().fromJson(System.getenv("STORY_CONFIG"), Map.class);
            for (var item : config.entrySet()) {
                stack.setConfig(item.getKey().toString(), new ConfigValue(item.getValue().toString()));
            }
            var preview = stack.preview();
            var first = stack.up();
            var second = stack.up();
            stack.destroy();
            var outputs = new HashMap<String, Object>();
            first.outputs().forEach((name, output) -> outputs.put(name, output.value()));
            outputs.computeIfPresent("phases", (name, text) -> text.toString().split(" "));
            var changes = List.of(
                byName(preview.changeSummary()), byName(second.summary().resourceChanges()));
            System.out.println(new Gson().toJson(Map.of("outputs", outputs, "changes", changes)));
        }
    }
}
