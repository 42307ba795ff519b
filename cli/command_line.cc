#include "cli/command_line.h"

#include "hvd/version.h"

namespace hv::cli {
namespace {

constexpr char kFooter[] =
    "Exit status: 0 done, or the guest switched itself off; 2 the command line makes no sense; 4 "
    "hvd "
    "refused the request; 6 no hvd could be reached; 8 the guest crashed; 10 a part of hv failed; "
    "12 "
    "the machine was ended before its guest switched itself off. A guest that writes v to the "
    "debug-exit port makes run and wait exit with (v << 1) | 1, which is odd.";

void AddMachine(CLI::App* command, Options& options) {
  command->add_option("machine", options.name, "Name of the machine")->required();
}

void AddRun(CLI::App& app, Options& options) {
  CLI::App* run = app.add_subcommand(
      "run",
      "Create a machine, start it, and show its console. Ctrl-] leaves the console and the machine "
      "running; when the guest switches itself off the machine is deleted. Starts a private hvd "
      "when "
      "none listens");
  hv::v1::MachineConfig* config = &options.config;
  const auto text = [run](const char* flag, const char* help, auto set) {
    return run->add_option_function<std::string>(flag, set, help);
  };
  text("--kernel", "Kernel: bzImage, ELF with PVH note or 64-bit entry, or Multiboot",
       [config](const std::string& path) { config->set_kernel(path); })
      ->required()
      ->type_name("FILE");
  text("--initrd", "Initial RAM disk", [config](const std::string& path) {
    config->set_initrd(path);
  })->type_name("FILE");
  text("--append", "Command line of the kernel", [config](const std::string& line) {
    config->set_command_line(line);
  })->type_name("TEXT");
  run->add_option(
         "--module", options.modules,
         "Multiboot module: a file, and after the first blank its command line; repeat for "
         "more")
      ->type_name("FILE[ TEXT]")
      ->allow_extra_args(false);
  run->add_option_function<uint32_t>(
         "--cpus",
         [config](const uint32_t& cpus) {
           // hvd takes 0 for not given.
           if (cpus == 0) throw CLI::ValidationError("--cpus", "0: 1 to 64 are possible");
           config->set_cpus(cpus);
         },
         "Virtual CPUs, 1 to 64 (default 1)")
      ->type_name("N");
  run->add_option("--memory", options.memory,
                  "Guest memory: MiB, or with suffix K, M, G or T (default 512M)")
      ->type_name("SIZE");
  text("--engine", "What executes the guest: auto, soft or kvm (default auto)",
       [config](const std::string& engine) { config->set_engine(engine); })
      ->type_name("ENGINE");
  text("--paging",
       "Who gives guest memory its pages: auto, demand (mmu_svc) or host (default auto)",
       [config](const std::string& paging) { config->set_paging(paging); })
      ->type_name("WHO");
  text("--name", "Name of the machine (default: vm-PID)", [config](const std::string& name) {
    config->set_name(name);
  })->type_name("NAME");
  run->add_flag("--detach,-d", options.detach, "Print the machine's name and leave it running");
  run->add_flag_callback(
      "--debug-exit", [config] { config->set_debug_exit(true); },
      "Writing v to port 0xf4 ends the machine with exit status (v << 1) | 1");
  run->add_flag_callback(
      "--no-standby", [config] { config->set_no_standby(true); },
      "No processes that wait to take over from services that die: less memory, longer gaps");
  run->add_option_function<uint32_t>(
         "--hang-timeout", [config](const uint32_t& ms) { config->set_hang_timeout_ms(ms); },
         "A service that has work and gets nowhere for so long is replaced; 10 to 60000 "
         "milliseconds (default 50)")
      ->type_name("MS");
  run->add_option("--translation-cache", options.translation_cache,
                  "Engine soft: translated code that each vCPU keeps, 1M to 1G; beyond that the "
                  "oldest goes (default 64M)")
      ->type_name("SIZE");
  run->add_flag("--no-reboot", options.no_reboot, "A guest that resets itself is stopped");
}

void AddMemory(CLI::App& app, Options& options) {
  CLI::App* memory = app.add_subcommand(
      "memory",
      "Show a machine's guest-physical map, or change it while the guest runs. A RANGE is "
      "ADDRESS+SIZE: guest-physical in hexadecimal, and KiB, MiB or GiB with suffix K, M or G");
  AddMachine(memory, options);
  CLI::Option* dirty_log =
      memory
          ->add_option(
              "--dirty-log", options.dirty_log,
              "on: begin to note which pages are written; take: show which were since then "
              "or since the last take; off: note no more")
          ->type_name("on|off|take")
          ->check(CLI::IsMember({"on", "off", "take"}).description(""));
  CLI::Option* watch_writes =
      memory
          ->add_option("--watch-writes", options.watch_writes,
                       "The same of what the host's kernel tells mmu_svc of, whatever the engine "
                       "says: on: the first write to each page is noted, while its writer waits; "
                       "take: show which were written, and watch them anew; off: the end. Takes "
                       "paging on demand, and Linux 5.19")
          ->type_name("on|off|take")
          ->check(CLI::IsMember({"on", "off", "take"}).description(""))
          ->excludes(dirty_log);
  CLI::Option* at =
      memory
          ->add_option("--at", options.at,
                       "Where what is switched on or off begins (default 0); in hexadecimal")
          ->type_name("ADDRESS");
  CLI::Option* bytes =
      memory
          ->add_option("--bytes", options.bytes,
                       "How much is switched; whole pages of 4096 (default: all from there on)")
          ->type_name("N");
  CLI::Option* protect =
      memory
          ->add_option("--protect", options.protect,
                       "Make RAM read-only: writes of the guest are counted and ignored")
          ->type_name("RANGE");
  CLI::Option* unprotect =
      memory->add_option("--unprotect", options.unprotect, "Make protected RAM writable again")
          ->type_name("RANGE")
          ->excludes(protect);
  for (CLI::Option* other : {dirty_log, watch_writes, at, bytes}) {
    protect->excludes(other);
    unprotect->excludes(other);
  }
}

constexpr char kPoints[] =
    "Where: after-receive, before-commit, after-commit, mid-publish, before-acknowledge; send (for "
    "forgeries); wake; turn; control (a call of its control endpoint); now (from outside)";
constexpr char kActions[] =
    "What: kill, stop, segv, abort, exit, hang, deadlock, delay, out-of-memory; forge-stamp, "
    "forge-epoch, "
    "forge-kind, forge-content, forge-answer, forge-bit; drop-wake, double-wake; stick";

void AddFaultSet(CLI::App* fault, Options& options) {
  FaultOptions& to = options.fault;
  CLI::App* set = fault->add_subcommand(
      "set", "Set a fault. It stays until it is cleared, in a service's successor too");
  AddMachine(set, options);
  set->add_option("--service,-s", to.service,
                  "Process to befall, e.g. timer_svc; hv_kernel at now alone")
      ->required()
      ->type_name("NAME");
  set->add_option("--at", to.point, kPoints)->required()->type_name("POINT");
  set->add_option("--do", to.action, kActions)->required()->type_name("ACTION");
  CLI::Option* nth =
      set->add_option("--nth", to.nth, "Once, at the Nth pass of the point from now (default 1)")
          ->type_name("N");
  CLI::Option* every = set->add_option("--every", to.every, "At each Nth pass")->type_name("N");
  CLI::Option* rate =
      set->add_option("--rate", to.rate, "At each pass with this chance, above 0, at most 1")
          ->type_name("CHANCE");
  nth->excludes(every)->excludes(rate);
  every->excludes(rate);
  set->add_option("--seed", to.seed, "Seed of chances and of what a forgery looks like (default 0)")
      ->type_name("SEED");
  set->add_option("--times", to.times, "So often at most (default: without bound)")
      ->type_name("N")
      ->excludes(nth);
  set->add_option("--kind", to.kind, "Passes with this message alone, e.g. READ, EOI, LINE")
      ->type_name("KIND");
  set->add_option("--value", to.argument,
                  "Exit status; nanoseconds of a delay or of being stuck (0: for ever)")
      ->type_name("N");
}

void AddFaultChaos(CLI::App* fault, Options& options) {
  FaultOptions& to = options.fault;
  CLI::App* chaos = fault->add_subcommand(
      "chaos",
      "Run a campaign of faults planned from a seed and report each; the same seed and options "
      "plan the same campaign");
  AddMachine(chaos, options);
  CLI::Option* seed =
      chaos->add_option("--seed", to.seed, "Seed of the plan (default 0)")->type_name("SEED");
  CLI::Option* rate =
      chaos->add_option("--rate", to.rate, "Injections a second on average (default 10)")
          ->type_name("RATE");
  CLI::Option* duration =
      chaos->add_option("--duration", to.seconds, "Seconds it takes (default 10)")
          ->type_name("SECONDS");
  CLI::Option* services =
      chaos->add_option("--services", to.services, "Of these, with commas between (default: all)")
          ->type_name("NAMES")
          ->delimiter(',');
  CLI::Option* actions =
      chaos->add_option("--do", to.actions, "With these actions of fault set (default: kill)")
          ->type_name("ACTIONS")
          ->delimiter(',');
  CLI::Option* points =
      chaos->add_option("--at", to.points, "At these points of fault set (default: all that fit)")
          ->type_name("POINTS")
          ->delimiter(',');
  CLI::Option* replay =
      chaos
          ->add_option("--replay", to.replay,
                       "Instead: the injections that an earlier fault chaos --json has printed")
          ->type_name("FILE");
  for (CLI::Option* other : {seed, rate, duration, services, actions, points}) {
    replay->excludes(other);
  }
}

void AddFault(CLI::App& app, Options& options) {
  CLI::App* fault = app.add_subcommand(
      "fault", "Make services fail on purpose while a guest runs, to see it go on");
  fault->require_subcommand(1);
  AddFaultSet(fault, options);
  AddMachine(fault->add_subcommand(
                 "list", "Show the faults set, how often their points were passed and they fired"),
             options);
  CLI::App* clear = fault->add_subcommand("clear", "Clear faults");
  AddMachine(clear, options);
  clear->add_option("ids", options.fault.ids, "Their numbers (default: all)")->type_name("ID");
  AddFaultChaos(fault, options);
}

void AddOthers(CLI::App& app, Options& options) {
  app.add_subcommand("ps", "List machines")->add_flag("--quiet,-q", options.quiet, "Names only");
  CLI::App* inspect = app.add_subcommand("inspect", "Show one machine: configuration, state, exit");
  AddMachine(inspect, options);
  inspect->add_flag("--registers,-r", options.registers,
                    "Also the registers of its vCPUs; a running guest is paused for that moment");
  inspect->add_flag("--memory,-m", options.show_memory,
                    "Also its guest-physical map: RAM, ROM, who answers at which port and address, "
                    "accesses to what nobody owns");
  inspect
      ->add_option("--translate,-t", options.translate,
                   "Instead: what a linear address is to a vCPU now, by its page tables; a running "
                   "guest is paused for that moment")
      ->type_name("ADDRESS");
  inspect->add_option("--vcpu", options.vcpu, "The vCPU that --translate is about (default 0)")
      ->type_name("N")
      ->needs("--translate");
  AddMemory(app, options);
  AddMachine(app.add_subcommand("services",
                                "Show a machine's processes: what each maps, its progress, its "
                                "messages per second, what holds it in"),
             options);
  CLI::App* console =
      app.add_subcommand("console", "Attach this terminal to a machine's console; Ctrl-] leaves");
  AddMachine(console, options);
  console->add_flag("--all,-a", options.all_output,
                    "Begin with all output that is kept, not with the last lines");
  CLI::App* replace =
      app.add_subcommand("replace",
                         "Put another process in a service's place while the guest runs: of a "
                         "program that was renewed, "
                         "or of one that is degraded, after what killed it was put right");
  AddMachine(replace, options);
  replace->add_option("service", options.service, "Its process name, e.g. timer_svc")->required();
  AddMachine(app.add_subcommand(
                 "start", "Let a machine's guest run; one that is stopped begins from power-on"),
             options);
  AddMachine(app.add_subcommand("pause", "Make a guest stand still"), options);
  AddMachine(app.add_subcommand("resume", "Let a paused guest go on"), options);
  CLI::App* stop = app.add_subcommand(
      "stop", "Press the power button, give the guest time, then end the machine");
  AddMachine(stop, options);
  stop->add_option("--grace", options.grace_seconds,
                   "Seconds the guest has to switch itself off (default 30)")
      ->type_name("SECONDS");
  stop->add_flag("--force,-f", options.force, "End it at once");
  CLI::App* remove = app.add_subcommand("rm", "Delete a stopped machine");
  AddMachine(remove, options);
  remove->add_flag("--force,-f", options.force, "Also a running one");
  AddMachine(app.add_subcommand("wait", "Wait until a machine has stopped; exits as run does"),
             options);
  CLI::App* stats = app.add_subcommand("stats", "Show a guest's exits by reason and by service");
  AddMachine(stats, options);
  stats->add_flag("--engine", options.of_engine,
                  "Show what the engine counts instead: translation, slow paths by cause");
  stats
      ->add_option("--interval,-i", options.interval_seconds,
                   "Count for so many seconds and show rates too")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 3600.0).description(""));  // else it is shown with the type name
  AddFault(app, options);
  app.add_subcommand("doctor", "Say what this host offers to hv, what is missing, and what to do");
  app.add_subcommand("version", "Show versions");
  app.add_subcommand("completion", "Print a completion script: eval \"$(hvctl completion bash)\"")
      ->add_option("shell", options.shell, "bash")
      ->required()
      ->check(CLI::IsMember({"bash"}).description(""));
  app.add_subcommand("man-page", "Print the manual page in troff")->group("");
}

// CLI11 misses a command before it looks at what stands in its place.
std::string Complaint(const CLI::App* app, const CLI::Error& error) {
  const std::vector<std::string> unknown = app->remaining();
  if (app->get_parent() == nullptr && app->get_subcommands().empty() && !unknown.empty()) {
    return "hvctl: there is no command '" + unknown.front() + "'; hvctl --help lists them\n";
  }
  return std::string("hvctl: ") + error.what() + "; --help says what is possible\n";
}

}  // namespace

std::unique_ptr<CLI::App> MakeApp(Options& options) {
  auto app = std::make_unique<CLI::App>(
      "hvctl runs and controls virtual machines by talking to hvd.", "hvctl");
  app->set_version_flag("--version", std::string("hvctl ") + hvd::kVersion);
  app->require_subcommand(1);
  app->fallthrough();
  app->footer(kFooter);
  app->failure_message(Complaint);
  app->add_option(
         "--socket", options.socket,
         "hvd's socket (default: $HV_SOCKET, else hvd.sock in the runtime folder, which is "
         "$XDG_RUNTIME_DIR/hv, /run/hv for root, or /tmp/hv-UID)")
      ->type_name("PATH");
  app->add_option("--libexec", options.libexec,
                  "Folder of hvd and the parts it starts (default: beside hvctl)")
      ->type_name("FOLDER");
  app->add_flag("--json", options.json, "Print JSON, fields named as in the .proto files of hv/v1");
  AddRun(*app, options);
  AddOthers(*app, options);
  return app;
}

}  // namespace hv::cli
