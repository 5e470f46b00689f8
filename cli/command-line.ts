/** The command line, read by commander: what there is to call, and the options of each command. */

import { Command, CommanderError } from "commander";
import packageDescription from "../package.json" with { type: "json" };
import { addBootOptions, type BootOptions } from "./boot-options.ts";
import { CommandError, ExitStatus } from "./command-error.ts";
import { addMachineOptions, type MachineOptions } from "./machine-options.ts";

const VERSION = packageDescription.version;

const DEBUG_HELP = `
What is debugged is told apart by its options and its content: a kernel or a disk is booted, a program is run;
\`debug run …\` and \`debug boot …\` say which. See \`osv-vm run --help\` and \`osv-vm boot --help\` for the options,
and \`help\` at the prompt for its commands.`;

function addSymbolsOption(command: Command): void {
  const collect = (path: string, before: readonly string[]): string[] => [...before, path];
  command.option(
    "--symbols <file>",
    "read symbols of an ELF file or a System.map; may be repeated",
    collect,
    [],
  );
}

/** @param prompt `run` and `boot` are those of `debug` */
function createProgram(finish: (status: number) => void, prompt: boolean): Command {
  const program = new Command("osv-vm")
    .description("Runs x86-64 software. Without a command: boots the built-in image and gives a shell.")
    .version(VERSION, "--version", "print the version")
    .helpOption("-h, --help", "print this")
    .helpCommand(false)
    .enablePositionalOptions()
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ outputError: () => undefined });

  addMachineOptions(program).action(async (options: MachineOptions) => {
    const { shell } = await import("./shell.ts");
    finish(await shell(options, VERSION));
  });

  const run = program
    .command("run")
    .description("Run a Linux x86-64 program on the OSv kernel; the exit status is the program's.")
    .argument("<program>", "looked up in the root's PATH; without --root also a file of this host")
    .argument("[args...]", "handed to the program")
    .helpOption("-h, --help", "print this")
    .passThroughOptions();
  addMachineOptions(run).action(async (name: string, parameters: string[], options: MachineOptions) => {
    const { runToExit } = await import("./run.ts");
    await runToExit(name, parameters, { ...options, prompt });
  });

  const boot = program
    .command("boot")
    .description(
      "Boot an unmodified system. The serial console is this terminal; Ctrl-A x leaves, Ctrl-A h helps.",
    )
    .argument("[image]", "a kernel or a disk, told apart by its content")
    .helpOption("-h, --help", "print this");
  addBootOptions(boot).action(async (image: string | undefined, options: BootOptions) => {
    const { boot: start } = await import("./boot.ts");
    finish(await start(image, { ...options, prompt }, VERSION));
  });
  if (prompt) for (const command of [run, boot]) addSymbolsOption(command);

  program
    .command("debug")
    .description("Run or boot, stopped before the first instruction, with a prompt.")
    .argument("[args...]", "as for run or boot")
    .option("--symbols <file>", "read symbols of an ELF file or a System.map; may be repeated")
    .helpOption("-h, --help", "print this")
    .addHelpText("after", DEBUG_HELP);

  program
    .command("disasm")
    .description("Disassemble the code of an x86-64 ELF file.")
    .argument("<file>", "an ELF file")
    .helpOption("-h, --help", "print this")
    .option("--start <address>", "first address (0x401000)")
    .option("--end <address>", "stop before this address")
    .action(async (file: string, options: { start?: string; end?: string }) => {
      const { disasm } = await import("./disasm.ts");
      finish(await disasm(file, options));
    });

  const coming = [["serve", "Serve the web page."]] as const;
  for (const [name, description] of coming) {
    program
      .command(name)
      .description(`${description} (Not available in this version.)`)
      .argument("[args...]")
      .helpOption("-h, --help", "print this")
      .allowUnknownOption()
      .action(() => {
        throw new CommandError(`${name}: this command is not available in version ${VERSION}`);
      });
  }
  return program;
}

/** Commander's message as one line that also says where to look. */
function describeUsageError(error: CommanderError, parameters: readonly string[]): string {
  const command = ["run", "boot", "debug", "disasm", "serve"].find((name) => name === parameters[0]);
  if (error.code === "commander.excessArguments") {
    return `no such command: ${parameters.find((text) => !text.startsWith("-")) ?? ""}; try: osv-vm --help`;
  }
  const text = error.message
    .replace(/^error: /, "")
    .replace(/\n\(Did you mean (.*)\?\)/, "; did you mean $1?")
    .replaceAll("\n", " ");
  const help = ["osv-vm", ...(command ? [command] : []), "--help"].join(" ");
  return `${command ? `${command}: ` : ""}${text}${/[.?]$/.test(text) ? " Try:" : "; try:"} ${help}`;
}

async function debugParameters(parameters: readonly string[]): Promise<string[]> {
  const { debugKind } = await import("./debug-kind.ts");
  const { kind, rest } = debugKind(parameters);
  return [kind, ...rest];
}

/**
 * Does what the command line says. Errors of the command line itself are reported here.
 * @returns the exit status
 */
export async function runCommandLine(parameters: readonly string[]): Promise<number> {
  let status = 0;
  const isHelp = parameters[1] === undefined || parameters[1] === "-h" || parameters[1] === "--help";
  const prompt = parameters[0] === "debug" && !isHelp;
  const program = createProgram((result) => {
    status = result;
  }, prompt);
  try {
    const effective = prompt ? await debugParameters(parameters.slice(1)) : parameters;
    const asked = parameters[0] === "debug" && !prompt ? ["debug", "--help"] : effective;
    await program.parseAsync(asked, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0; // --help, --version
    process.stderr.write(`osv-vm: ${describeUsageError(error, parameters)}\n`);
    return ExitStatus.Ours;
  }
  return status;
}
