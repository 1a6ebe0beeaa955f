/* What every contender of the benchmark supervises: a process that costs next to nothing.
 *
 *   worker                     waits for ever
 *   worker write BYTES FIFO    waits until FIFO is opened for writing, writes numbered lines of 100 bytes, waits for ever
 *   worker ask SOCKET          asks one question and reads the answer to its end: what a status command cannot avoid
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LINE = 100, LINES = 655 };

static void whole(int fd, const char *bytes, size_t count)
{
	while (count > 0) {
		ssize_t n = write(fd, bytes, count);
		if (n <= 0)
			exit(1);
		bytes += n;
		count -= (size_t)n;
	}
}

/* The number of a line, twelve digits; the rest of the line stays as it is. */
static void number(char *line, unsigned long long n)
{
	for (int digit = 11; digit >= 0; digit--, n /= 10)
		line[digit] = (char)('0' + n % 10);
}

static void write_lines(unsigned long long bytes, const char *fifo)
{
	static char chunk[LINES * LINE];
	unsigned long long line = 0, lines = bytes / LINE;
	char gate;
	memset(chunk, 'x', sizeof chunk);
	for (int i = 0; i < LINES; i++)
		chunk[i * LINE + LINE - 1] = '\n';
	int fd = open(fifo, O_RDONLY);
	while (fd >= 0 && read(fd, &gate, 1) > 0)
		;
	while (line < lines) {
		int count = lines - line < LINES ? (int)(lines - line) : LINES;
		for (int i = 0; i < count; i++)
			number(chunk + i * LINE, line++);
		whole(1, chunk, (size_t)count * LINE);
	}
}

static int ask(const char *path)
{
	static const char request[] = "POST /RPC2 HTTP/1.0\r\nContent-Length: 0\r\n\r\n";
	static char buffer[1 << 16];
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	ssize_t n, all = 0;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	strncpy(name.sun_path, path, sizeof name.sun_path - 1);
	if (connect(fd, (struct sockaddr *)&name, sizeof name) != 0)
		return 1;
	whole(fd, request, sizeof request - 1);
	while ((n = read(fd, buffer, sizeof buffer)) > 0)
		all += n;
	return n < 0 || all == 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "ask") == 0)
		return ask(argv[2]);
	if (argc == 4 && strcmp(argv[1], "write") == 0)
		write_lines(strtoull(argv[2], NULL, 10), argv[3]);
	for (;;)
		pause();
}
