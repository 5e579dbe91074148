/* Shifts the wall clock that one process sees: cc -shared -fPIC -O2 -o skew.so skew.c, then LD_PRELOAD.
 *
 * FAULT_CLOCK_SKEW_SECONDS says by how much. CLOCK_MONOTONIC stays as it is. sem_timedwait takes a wall-clock time that
 * the caller computed from the shifted clock, so it is shifted back: otherwise every timed wait would take an hour.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static time_t skew(void)
{
    static int known = 0;
    static time_t seconds = 0;
    if (!known) {
        const char *text = getenv("FAULT_CLOCK_SKEW_SECONDS");
        seconds = text ? (time_t)atol(text) : 0;
        known = 1;
    }
    return seconds;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *) = NULL;
    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += skew();
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    (void)zone;
    struct timespec precise;
    int result = clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return result;
}

time_t time(time_t *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until)
{
    static int (*real)(sem_t *, const struct timespec *) = NULL;
    if (!real)
        real = (int (*)(sem_t *, const struct timespec *))dlsym(RTLD_NEXT, "sem_timedwait");
    struct timespec honest = *until;
    honest.tv_sec -= skew();
    return real(semaphore, &honest);
}
