// The official TypeScript SDK as a client of `dicast mcp serve`: says on stdout, in JSON lines, what it got.
//
//   node sdk.mjs work|cancel http URL
//   node sdk.mjs work|cancel stdio PROGRAM [ARGUMENT…]
import readline from "node:readline";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [task, way, target, ...args] = process.argv.slice(2);
const tell = (what) => process.stdout.write(JSON.stringify(what) + "\n");
const token = process.env.DICAST_MCP_TOKEN;
const transport =
  way === "http"
    ? new StreamableHTTPClientTransport(new URL(target), {
        requestInit: { headers: token ? { Authorization: `Bearer ${token}` } : {} },
      })
    : new StdioClientTransport({ command: target, args, env: process.env, stderr: "inherit" });
const client = new Client({ name: "sdk", version: "1" });
await client.connect(transport);
tell({ server: client.getServerVersion(), pid: transport.pid ?? null });

const spec = "001-greeter";
const call = (name, args, options) => client.callTool({ name, arguments: args }, undefined, options);

if (task === "work") {
  const { tools } = await client.listTools();
  tell({ tools: tools.map((tool) => tool.name).sort() });
  const heard = [];
  const ran = await call("run_stage", { spec: "001", stage: "plan" }, { onprogress: (p) => heard.push(p), timeout: 60_000 });
  tell({ ran: ran.structuredContent, progress: heard.length, rising: heard.every((p, i) => !i || p.progress > heard[i - 1].progress) });
  for (const [name, args] of [
    ["list_specs", {}],
    ["check", { spec }],
    ["get_verdict", { spec, stage: "plan" }],
    ["explain", { spec, stage: "plan", claim: "FR-001" }],
    ["list_dissent", { spec }],
  ]) {
    const result = await call(name, args);
    tell({ tool: name, error: result.isError ?? false, object: typeof result.structuredContent });
  }
  const refused = await call("get_verdict", { spec, stage: "unlock" });
  tell({ refused: refused.isError, text: refused.content[0].text });
  const { resources } = await client.listResources();
  const { resourceTemplates } = await client.listResourceTemplates();
  const read = await client.readResource({ uri: resources[0].uri });
  tell({ resources: resources.length, templates: resourceTemplates.length, text: read.contents[0].text });
} else {
  const stop = new AbortController();
  let isStopped = false;
  const onprogress = ({ message }) => {
    if (!isStopped && message.includes("cyd: started")) {
      isStopped = true;
      tell({ started: true });
      stop.abort("enough");
    }
  };
  await call("run_stage", { spec, stage: "plan" }, { onprogress, signal: stop.signal, timeout: 60_000 }).then(
    (result) => tell({ answered: result }),
    (error) => tell({ aborted: String(error) }),
  );
  // The test looks at the process table first.
  await new Promise((resolve) => readline.createInterface({ input: process.stdin }).once("line", resolve));
  const { tools } = await client.listTools();
  tell({ alive: tools.length });
}
await client.close();
process.exit(0);
