/* measure COMMAND [ARGUMENT...]: runs a command, and prints as the last line of its output
 *
 *     measured WALL CPU PEAK STATUS
 *
 * seconds on the clock, seconds of user and system time of the process and of those it waited for, KiB of the largest
 * memory, and the exit status (128 and the signal's number where one ended it). */
#define _DEFAULT_SOURCE
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(struct timeval t) {
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    if (argc < 2)
        return 2;
    double started = now();
    pid_t child = fork();
    if (child < 0)
        return 1;
    if (child == 0) {
        execvp(argv[1], argv + 1);
        perror(argv[1]);
        _exit(127);
    }
    int status;
    struct rusage used;
    if (wait4(child, &status, 0, &used) < 0)
        return 1;
    double wall = now() - started;
    printf("measured %.6f %.6f %ld %d\n", wall, seconds(used.ru_utime) + seconds(used.ru_stime), used.ru_maxrss,
           WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    return 0;
}
