/** Stepping through guest code in a JavaScript debugger, as docs/debugging.md describes it: all that DevTools sees. */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { SourceMap, type SourceMapPayload } from "node:module";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { DIST } from "../../scripts/repository.ts";
import { InspectorClient } from "../harness/inspector-client.ts";
import { isStandIn, OSV_VM } from "../harness/osv-vm.ts";
import { describeWith } from "../harness/requirements.ts";

const HELLO = join(DIST, "guests/hello");
const missingGuests = existsSync(HELLO)
  ? undefined
  : "the image was built without a C compiler (Debian: apt-get install gcc musl-tools, then npm run build)";
const notStandIn = isStandIn ? "OSV_VM_COMMAND stands in for osv-vm" : undefined;
const missingGdb =
  spawnSync("gdb", ["--version"]).status === 0 ? undefined : "gdb is missing (apt-get install gdb)";

interface Script {
  readonly scriptId: string;
  readonly url: string;
  readonly sourceMapURL: string;
}
interface Paused {
  readonly callFrames: readonly {
    readonly callFrameId: string;
    readonly functionName: string;
    readonly location: {
      readonly scriptId: string;
      readonly lineNumber: number;
      readonly columnNumber: number;
    };
    readonly scopeChain: readonly { readonly type: string; readonly object: { readonly objectId: string } }[];
  }[];
}
interface RemoteValue {
  readonly value?: unknown;
  readonly unserializableValue?: string;
}

/** A debugger on `osv-vm run --engine js hello`. */
class Session {
  readonly scripts = new Map<string, Script>();
  private constructor(
    private readonly process: ChildProcess,
    readonly client: InspectorClient,
  ) {
    client.on<Script>("Debugger.scriptParsed", (script) => this.scripts.set(script.scriptId, script));
  }

  static async start(): Promise<Session> {
    const [node, command] = OSV_VM;
    const child = spawn(node, ["--inspect-brk=0", command, "run", "--engine", "js", "hello"]);
    const url = await new Promise<string>((resolve, reject) => {
      let text = "";
      child.stderr.on("data", (data: Buffer) => {
        text += data;
        const match = /ws:\/\/\S+/.exec(text);
        if (match !== null) resolve(match[0]);
      });
      child.on("exit", () => reject(new Error(text)));
    });
    const session = new Session(child, await InspectorClient.connect(url));
    const { client } = session;
    await client.call("Runtime.enable");
    await client.call("Debugger.enable");
    // "Ignore list" in DevTools' settings: the emulator itself is not what one wants to see.
    await client.call("Debugger.setBlackboxPatterns", {
      patterns: ["/dist/cli[^/]*\\.cjs", "/osv-vm\\.js$", "^node:", "/node_modules/", "^wasm:"],
    });
    await client.until("Debugger.paused", "Runtime.runIfWaitingForDebugger");
    return session;
  }

  go(method: string): Promise<Paused> {
    return this.client.until<Paused>("Debugger.paused", `Debugger.${method}`);
  }

  script({ callFrames: [{ location }] }: Paused): Script {
    const script = this.scripts.get(location.scriptId);
    if (script === undefined) throw new Error("stopped in a script that was not announced");
    return script;
  }

  /** The line of the guest's disassembly where the program stands; undefined if the JavaScript belongs to none. */
  guestLine(paused: Paused): string | undefined {
    const { lineNumber, columnNumber } = paused.callFrames[0].location;
    const map = mapOf(this.script(paused));
    // A segment of one number leads nowhere (ECMA-426); Node's class passes over it.
    if (map.mappings.split(";")[lineNumber].length === 1) return undefined;
    const entry = new SourceMap(map).findEntry(lineNumber, columnNumber);
    if (!("originalLine" in entry)) return undefined;
    return listingOf(map)[entry.originalLine];
  }

  async local(paused: Paused, name: string): Promise<RemoteValue | undefined> {
    const scopes = paused.callFrames[0].scopeChain.filter(({ type }) => type === "local" || type === "block");
    for (const { object } of scopes) {
      const { result } = await this.client.call<{ result: { name: string; value?: RemoteValue }[] }>(
        "Runtime.getProperties",
        { objectId: object.objectId, ownProperties: true },
      );
      const found = result.find((property) => property.name === name);
      if (found !== undefined) return found.value;
    }
    return undefined;
  }

  async evaluate(paused: Paused, expression: string): Promise<unknown> {
    const { callFrameId } = paused.callFrames[0];
    const { result } = await this.client.call<{ result: RemoteValue }>("Debugger.evaluateOnCallFrame", {
      callFrameId,
      expression,
      returnByValue: true,
    });
    return result.value;
  }

  close(): void {
    this.client.close();
    this.process.kill("SIGKILL");
  }
}

function mapOf({ sourceMapURL }: Script): SourceMapPayload & { sourcesContent: string[] } {
  return JSON.parse(decodeURIComponent(sourceMapURL.slice(sourceMapURL.indexOf(",") + 1)));
}

const listingOf = (map: { sourcesContent: string[] }) => map.sourcesContent[0].trimEnd().split("\n");
const addressOf = (line: string | undefined) => Number.parseInt(line ?? "", 16);

/** Addresses of a program's first instructions, as the host executes them. */
function addressesOnHost(count: number): number[] {
  const steps = [...Array(count - 1)].flatMap(() => ["-ex", "stepi", "-ex", 'printf "at %lx\\n", $pc']);
  const { stdout } = spawnSync("gdb", [
    "-batch",
    "-nx",
    "-ex",
    "starti",
    "-ex",
    'printf "at %lx\\n", $pc',
    ...steps,
    HELLO,
  ]);
  return [...stdout.toString().matchAll(/^at ([0-9a-f]+)$/gm)].map(([, address]) =>
    Number.parseInt(address, 16),
  );
}

describeWith([missingGuests, notStandIn], "a JavaScript debugger on the engine js", () => {
  let session: Session | undefined;
  afterEach(() => session?.close());

  it("stops before the program's first instruction, at a breakpoint on a later one, and shows the registers", async () => {
    session = await Session.start();
    const first = await session.go("resume");
    expect(session.script(first).url).toMatch(/^osv-vm:\/\/\/js\/[0-9a-f]+\.js$/);
    const header = spawnSync("readelf", ["-h", HELLO]).stdout.toString();
    const entry = Number(/Entry point address:\s+(0x[0-9a-f]+)/.exec(header)?.[1]);
    expect(addressOf(session.guestLine(first))).toBe(entry);

    // A breakpoint on the last instruction of the listing, put where the source map says that its code begins.
    const script = session.script(first);
    const map = mapOf(script);
    const listing = listingOf(map);
    const wanted = listing.length - 1;
    expect(wanted).toBeGreaterThan(1);
    let lineNumber = first.callFrames[0].location.lineNumber;
    for (; ; lineNumber++) {
      const at = new SourceMap(map).findEntry(lineNumber, 0);
      if ("originalLine" in at && at.originalLine === wanted && at.generatedLine === lineNumber) break;
    }
    await session.client.call("Debugger.setBreakpoint", {
      location: { scriptId: script.scriptId, lineNumber },
    });
    const hit = await session.go("resume");
    expect(session.guestLine(hit)).toBe(listing[wanted]);

    // The register variable of the function, and the guest's state, say the same.
    const rsp = await session.local(hit, "rsp");
    const registers = (await session.evaluate(hit, "guest.registers")) as Record<string, string>;
    expect(BigInt(String(rsp?.unserializableValue).replace("n", ""))).toBe(BigInt(registers.rsp));
    expect(BigInt(registers.rsp)).toBeGreaterThan(0x7000_0000_0000n);
    expect(registers.flags).toMatch(/\bIF\b/);
  });

  it("shows the same disassembly as objdump", async () => {
    session = await Session.start();
    const first = await session.go("resume");
    const listing = listingOf(mapOf(session.script(first)));
    const start = addressOf(listing[0]);
    const objdump = spawnSync("objdump", [
      "-d",
      "--start-address",
      String(start),
      "--stop-address",
      String(start + 64),
      HELLO,
    ]);
    const bytes = (line: string) =>
      /^\s*([0-9a-f]+):\s+((?:[0-9a-f]{2} ?)+)/
        .exec(line)
        ?.slice(1)
        .map((text) => text.trim());
    const theirs = objdump.stdout
      .toString()
      .split("\n")
      .flatMap((line) => [bytes(line)?.join(": ") ?? []].flat());
    for (const line of listing) expect(theirs).toContain(bytes(line)?.join(": "));
  });
});

describeWith([missingGuests, notStandIn, missingGdb], "stepping in a JavaScript debugger", () => {
  let session: Session | undefined;
  afterEach(() => session?.close());

  it("visits the guest's instructions one after the other, across calls and jumps, as gdb does on the host", async () => {
    const COUNT = 18;
    const expected = addressesOnHost(COUNT);
    expect(expected.length).toBe(COUNT);
    session = await Session.start();
    let paused = await session.go("resume");
    const visited: number[] = [];
    while (visited.length < COUNT) {
      const { url } = session.script(paused);
      if (url.startsWith("osv-vm:///js/")) {
        const line = session.guestLine(paused);
        // Several JavaScript statements are one instruction: DevTools steps over all that lead to one line at once, and
        // over what leads nowhere.
        if (line !== undefined && visited.at(-1) !== addressOf(line)) visited.push(addressOf(line));
      }
      paused = await session.go("stepInto");
    }
    expect(visited.map((address) => address.toString(16))).toEqual(
      expected.map((address) => address.toString(16)),
    );
  });

  it("goes on to a guest address that was not translated when the breakpoint was set", async () => {
    const { stdout } = spawnSync("gdb", [
      ...[
        "-batch",
        "-nx",
        "-ex",
        "catch syscall writev",
        "-ex",
        "run",
        "-ex",
        'printf "at %lx\\n", $pc',
        HELLO,
      ],
    ]);
    // gdb stops behind the instruction, which has two bytes.
    const syscall = Number.parseInt(/^at ([0-9a-f]+)$/m.exec(stdout.toString())?.[1] ?? "", 16) - 2;
    session = await Session.start();
    const first = await session.go("resume");
    await session.evaluate(first, `guest.stopAt(${syscall})`);
    const hit = await session.go("resume");
    expect(session.guestLine(hit)).toMatch(/\bsyscall$/);
    expect(addressOf(session.guestLine(hit))).toBe(syscall);
  });
});
