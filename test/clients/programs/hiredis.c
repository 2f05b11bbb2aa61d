/* hiredis, blocking:  hiredis PORT.  Values with every byte, a pipeline, a transaction, a subscription. */

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static redisContext *context;

static void fail(const char *what, const redisReply *reply) {
    fprintf(stderr, "%s: %s\n", what, reply == NULL ? context->errstr : reply->str != NULL ? reply->str : "wrong");
    exit(1);
}

static redisReply *want(redisReply *reply, int type, const char *what) {
    if (reply == NULL || reply->type != type) fail(what, reply);
    return reply;
}

static void wantText(redisReply *reply, int type, const char *text, size_t length, const char *what) {
    want(reply, type, what);
    if (reply->len != length || memcmp(reply->str, text, length) != 0) fail(what, reply);
    freeReplyObject(reply);
}

static void wantInteger(redisReply *reply, long long number, const char *what) {
    want(reply, REDIS_REPLY_INTEGER, what);
    if (reply->integer != number) fail(what, reply);
    freeReplyObject(reply);
}

static redisReply *next(const char *what) {
    void *reply = NULL;
    if (redisGetReply(context, &reply) != REDIS_OK) fail(what, NULL);
    return reply;
}

int main(int argc, char **argv) {
    context = redisConnect("127.0.0.1", argc > 1 ? atoi(argv[1]) : 6379);
    if (context == NULL || context->err) fail("connect", NULL);
    wantText(redisCommand(context, "FLUSHDB"), REDIS_REPLY_STATUS, "OK", 2, "FLUSHDB");
    wantText(redisCommand(context, "PING"), REDIS_REPLY_STATUS, "PONG", 4, "PING");

    char bytes[256];
    for (int i = 0; i < 256; i++) bytes[i] = (char)i;
    wantText(redisCommand(context, "SET %b %b", bytes, sizeof bytes, bytes, sizeof bytes), REDIS_REPLY_STATUS, "OK", 2, "SET");
    wantText(redisCommand(context, "GET %b", bytes, sizeof bytes), REDIS_REPLY_STRING, bytes, sizeof bytes, "GET");
    freeReplyObject(want(redisCommand(context, "GET missing"), REDIS_REPLY_NIL, "GET missing"));
    wantInteger(redisCommand(context, "INCRBY n %lld", 9007199254740993LL), 9007199254740993LL, "INCRBY");
    freeReplyObject(want(redisCommand(context, "INCR %b", bytes, sizeof bytes), REDIS_REPLY_ERROR, "INCR of a text"));

    size_t length = 8 << 20;
    char *big = malloc(length);
    memset(big, 'x', length);
    wantText(redisCommand(context, "SET big %b", big, length), REDIS_REPLY_STATUS, "OK", 2, "SET big");
    wantText(redisCommand(context, "GET big"), REDIS_REPLY_STRING, big, length, "GET big");
    free(big);

    enum { MANY = 50000 };
    for (int i = 0; i < MANY; i++) redisAppendCommand(context, "SET p:%d %d", i, i);
    for (int i = 0; i < MANY; i++) freeReplyObject(want(next("pipeline"), REDIS_REPLY_STATUS, "pipeline"));
    for (int i = 0; i < MANY; i++) redisAppendCommand(context, "GET p:%d", i);
    for (int i = 0; i < MANY; i++) {
        char text[16];
        int digits = snprintf(text, sizeof text, "%d", i);
        wantText(next("pipeline"), REDIS_REPLY_STRING, text, (size_t)digits, "pipelined GET");
    }

    freeReplyObject(want(redisCommand(context, "MULTI"), REDIS_REPLY_STATUS, "MULTI"));
    freeReplyObject(want(redisCommand(context, "SET m 1"), REDIS_REPLY_STATUS, "queued"));
    freeReplyObject(want(redisCommand(context, "INCR m"), REDIS_REPLY_STATUS, "queued"));
    redisReply *results = want(redisCommand(context, "EXEC"), REDIS_REPLY_ARRAY, "EXEC");
    if (results->elements != 2 || results->element[1]->integer != 2) fail("EXEC", results);
    freeReplyObject(results);

    redisContext *publisher = redisConnect("127.0.0.1", atoi(argv[1]));
    freeReplyObject(want(redisCommand(context, "SUBSCRIBE news"), REDIS_REPLY_ARRAY, "SUBSCRIBE"));
    wantInteger(redisCommand(publisher, "PUBLISH news %b", bytes, sizeof bytes), 1, "PUBLISH");
    redisReply *message = want(next("message"), REDIS_REPLY_ARRAY, "message");
    if (message->elements != 3 || message->element[2]->len != sizeof bytes) fail("message", message);
    freeReplyObject(message);
    redisFree(publisher);
    redisFree(context);
    puts("ok");
    return 0;
}
