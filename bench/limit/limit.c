/* The kernel's part of a supervisor's job and nothing else: what no supervisor can go below on this machine.
 *
 *   limit SOCKET ANSWER_BYTES LOGS N COMMAND...
 *
 * Starts N times COMMAND, each with a pipe for its input and one for its output, copies what they write to LOGS/NUMBER.log,
 * starts anew whoever dies, gives every client of SOCKET ANSWER_BYTES (or few, for getState), and at SIGTERM ends and reaps them all. No
 * configuration, no states, no log of its own, no rotation.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIDS = 4194304 + 1, FDS = 1 << 20, WIDE = 1 << 20, FEW = 3000 };
/* What an epoll entry is about: the upper half of its number; a slot or a descriptor in the lower. */
enum { OUTPUT, SIGNALS, LISTENER, CLIENT };

struct slot { pid_t pid; int in, out, log, wide; };

static struct slot *slots;
static int count, loop, listener;
static int32_t slot_of[PIDS];
static struct answer { char *bytes; size_t size; } small, large;
static char **command;
static struct client { struct answer *answer; uint32_t sent; } clients[FDS];

static void must(int good, const char *what)
{
	if (!good) {
		perror(what);
		exit(1);
	}
}

static void watch(int fd, uint32_t events, uint64_t kind, uint32_t of)
{
	struct epoll_event event = { .events = events, .data.u64 = kind << 32 | of };
	must(epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

/* Its pipe ends are 3 and 4. */
static int child(void *unused)
{
	sigset_t none;
	(void)unused;
	syscall(436 /* close_range */, 5, ~0U, CLOSE_RANGE_UNSHARE);
	dup2(3, 0);
	dup2(4, 1);
	dup2(4, 2);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0);
	execv(command[0], command);
	_exit(127);
}

/* With few descriptors a fork is soonest done, since the parent goes on meanwhile. With many, copying the table costs more than
 * waiting for the exec of a child that shares it. */
static pid_t start_child(int descriptors)
{
	static char stack[16384] __attribute__((aligned(16)));
	if (descriptors > FEW)
		return clone(child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, NULL);
	pid_t pid = fork();
	if (pid == 0)
		child(NULL);
	return pid;
}

static void spawn(int i)
{
	int in[2], out[2];
	must(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0, "pipe");
	dup3(in[0], 3, O_CLOEXEC);
	dup3(out[1], 4, O_CLOEXEC);
	close(in[0]);
	close(out[1]);
	pid_t pid = start_child(out[0]);
	must(pid > 0, "clone");
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	slots[i].pid = pid;
	slots[i].in = in[1];
	slots[i].out = out[0];
	slots[i].wide = 0;
	slot_of[pid] = i;
	watch(out[0], EPOLLIN, OUTPUT, (uint32_t)i);
}

/* From the pipe to the file without passing through here. Whoever writes gets a wide pipe: fewer turns for more bytes. */
static int copy(int i)
{
	struct slot *slot = &slots[i];
	ssize_t n = splice(slot->out, NULL, slot->log, NULL, WIDE, SPLICE_F_NONBLOCK);
	if (n > 0 && !slot->wide)
		slot->wide = fcntl(slot->out, F_SETPIPE_SZ, WIDE) > 0;
	return n > 0;
}

/* The last words into the file, the ends closed. */
static void bury(int i)
{
	while (copy(i))
		;
	close(slots[i].in);
	close(slots[i].out);
}

static void reap(void)
{
	pid_t pid;
	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
		bury(slot_of[pid]);
		spawn(slot_of[pid]);
	}
}

static void end_all(const char *path)
{
	unlink(path);
	for (int i = 0; i < count; i++)
		kill(slots[i].pid, SIGTERM);
	while (wait(NULL) > 0)
		;
	exit(0);
}

static void prepare(struct answer *answer, size_t size)
{
	static const char head[] = "HTTP/1.0 200 OK\r\n\r\n", tail[] = "</methodResponse>\n";
	answer->size = size < 64 ? 64 : size;
	answer->bytes = malloc(answer->size);
	must(answer->bytes != NULL, "malloc");
	memset(answer->bytes, 'x', answer->size);
	memcpy(answer->bytes, head, sizeof head - 1);
	memcpy(answer->bytes + answer->size - sizeof tail + 1, tail, sizeof tail - 1);
}

static void part_with(int fd)
{
	close(fd);
	clients[fd].answer = NULL;
}

/* The large answer is made when somebody first wants it. */
static void hear(int fd)
{
	char request[4096];
	ssize_t n = read(fd, request, sizeof request);
	if (n <= 0) {
		part_with(fd);
		return;
	}
	clients[fd].sent = 0;
	clients[fd].answer = memmem(request, (size_t)n, "getState", 8) ? &small : &large;
	if (!clients[fd].answer->bytes)
		prepare(&large, large.size);
}

static void give(int fd)
{
	struct client *client = &clients[fd];
	ssize_t n = send(fd, client->answer->bytes + client->sent, client->answer->size - client->sent, MSG_NOSIGNAL);
	if (n > 0)
		client->sent += (uint32_t)n;
	if (client->sent == client->answer->size || (n < 0 && errno != EAGAIN))
		part_with(fd);
}

static void client(int fd)
{
	struct epoll_event event = { .events = EPOLLOUT, .data.u64 = (uint64_t)CLIENT << 32 | (uint32_t)fd };
	int fresh = !clients[fd].answer;
	if (fresh)
		hear(fd);
	if (clients[fd].answer)
		give(fd);
	if (fresh && clients[fd].answer)
		epoll_ctl(loop, EPOLL_CTL_MOD, fd, &event);
}

static void greet(void)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0)
		watch(fd, EPOLLIN, CLIENT, (uint32_t)fd);
}

static void serve(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	strncpy(name.sun_path, path, sizeof name.sun_path - 1);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	must(bind(listener, (struct sockaddr *)&name, sizeof name) == 0, path);
	must(listen(listener, 1024) == 0, "listen");
	watch(listener, EPOLLIN, LISTENER, 0);
}

static void start_all(const char *logs)
{
	char path[4096];
	for (int i = 0; i < count; i++)
		spawn(i);
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof path, "%s/%05d.log", logs, i);
		slots[i].log = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		must(slots[i].log >= 0, path);
	}
}

static int notice_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_SETMASK, &set, NULL);
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	watch(fd, EPOLLIN, SIGNALS, (uint32_t)fd);
	return fd;
}

static void turn(const char *path)
{
	struct epoll_event events[64];
	struct signalfd_siginfo signal;
	int ready = epoll_wait(loop, events, 64, -1);
	for (int i = 0; i < ready; i++) {
		uint32_t of = (uint32_t)events[i].data.u64;
		switch (events[i].data.u64 >> 32) {
		case OUTPUT:
			/* Whoever has closed its output and lives on is looked at no more. */
			if (!copy((int)of) && (events[i].events & EPOLLHUP))
				epoll_ctl(loop, EPOLL_CTL_DEL, slots[of].out, NULL);
			break;
		case SIGNALS:
			while (read((int)of, &signal, sizeof signal) == sizeof signal)
				if (signal.ssi_signo == SIGTERM)
					end_all(path);
			reap();
			break;
		case LISTENER:
			greet();
			break;
		default:
			client((int)of);
		}
	}
}

int main(int argc, char **argv)
{
	must(argc >= 6, "limit SOCKET ANSWER_BYTES LOGS N COMMAND...");
	count = atoi(argv[4]);
	command = argv + 5;
	slots = calloc((size_t)count + 1, sizeof *slots);
	while (open("/dev/null", O_RDWR | O_CLOEXEC) < 4)
		;
	loop = epoll_create1(EPOLL_CLOEXEC);
	notice_signals();
	large.size = strtoul(argv[2], NULL, 10);
	prepare(&small, 400);
	serve(argv[1]);
	start_all(argv[3]);
	for (;;)
		turn(argv[1]);
}
