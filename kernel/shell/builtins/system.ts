/** uname, hostname, dmesg, date, uptime, sync: the machine and its kernel. */

import { SYSTEM_NAME } from "../../syscalls/system.ts";
import { type Builtin, type BuiltinContext, CommandFailure, parseOptions } from "../builtin.ts";
import { formatDate } from "../calendar.ts";

async function uname({ kernel, stdout }: BuiltinContext, args: readonly string[]): Promise<number> {
  const { flags } = parseOptions(args, "asnrvmo");
  const fields = [
    ["s", SYSTEM_NAME.sysname],
    ["n", kernel.hostname],
    ["r", SYSTEM_NAME.release],
    ["v", SYSTEM_NAME.version],
    ["m", SYSTEM_NAME.machine],
    ["o", "GNU/Linux"],
  ] as const;
  const shown = fields.filter(
    ([letter]) => flags.has("a") || flags.has(letter) || (flags.size === 0 && letter === "s"),
  );
  await stdout.write(`${shown.map(([, value]) => value).join(" ")}\n`);
  return 0;
}

async function hostname({ kernel, stdout }: BuiltinContext, args: readonly string[]): Promise<number> {
  if (args[0] === undefined) await stdout.write(`${kernel.hostname}\n`);
  else kernel.hostname = args[0];
  return 0;
}

async function dmesg({ kernel, stdout }: BuiltinContext): Promise<number> {
  await stdout.write(kernel.logText());
  return 0;
}

async function date({ kernel, stdout }: BuiltinContext, args: readonly string[]): Promise<number> {
  const { operands } = parseOptions(args, "u");
  const [format = "+%a %b %e %H:%M:%S UTC %Y"] = operands;
  if (!format.startsWith("+")) throw new CommandFailure(`invalid date '${format}': the host sets the clock`);
  const { seconds, nanoseconds } = kernel.host.clock.realtime();
  await stdout.write(`${formatDate(format.slice(1), seconds, nanoseconds)}\n`);
  return 0;
}

async function uptime({ kernel, stdout }: BuiltinContext): Promise<number> {
  const { clock } = kernel.host;
  const up = Math.floor(clock.monotonic() / 1e9);
  const { seconds } = clock.realtime();
  const days = Math.floor(up / 86400);
  const hours = Math.floor(up / 3600) % 24;
  const minutes = Math.floor(up / 60) % 60;
  const since =
    (days > 0 ? `${days} day${days === 1 ? "" : "s"}, ` : "") +
    (hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}` : minutes > 0 ? `${minutes} min` : `${up} s`);
  await stdout.write(
    ` ${formatDate("%T", seconds, 0)} up ${since}, ${kernel.applications.size} applications\n`,
  );
  return 0;
}

function sync({ kernel }: BuiltinContext): number {
  for (const { fileSystem } of kernel.mounts.mounts) fileSystem.sync();
  return 0;
}

export const SYSTEM_COMMANDS: readonly Builtin[] = [
  {
    name: "uname",
    usage: "[-asnrvmo]",
    summary: "tell what system this is",
    run: uname,
    details: "  -a everything, -s system, -n node, -r release, -v version, -m machine, -o operating system",
  },
  { name: "hostname", usage: "[NAME]", summary: "show or set the machine's name", run: hostname },
  { name: "dmesg", usage: "", summary: "show the kernel log", run: dmesg },
  {
    name: "date",
    usage: "[+FORMAT]",
    summary: "tell the time (UTC)",
    run: date,
    details: "  FORMAT is as in date(1): %Y %m %d %H %M %S %F %T %s %N %a %b %j …",
  },
  { name: "uptime", usage: "", summary: "tell how long the machine has been running", run: uptime },
  { name: "sync", usage: "", summary: "write everything to storage", run: sync },
];
