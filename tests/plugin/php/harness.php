<?php
// Runs every function of the calling file whose name begins with test_, and says which of them failed.

error_reporting(E_ALL);
set_error_handler(function ($level, $message, $file, $line) {
    if (error_reporting() & $level) {
        throw new ErrorException($message, 0, $level, $file, $line);
    }
    return false;
});

function same($expected, $got, string $where = ''): void
{
    if ($expected !== $got) {
        throw new Exception("$where: expected " . var_export($expected, true) . ', got ' . var_export($got, true));
    }
}

function holds(bool $condition, string $what): void
{
    same(true, $condition, $what);
}

function run_tests(): void
{
    $failed = 0;
    $tests = array_filter(get_defined_functions()['user'], function ($name) {
        return strpos($name, 'test_') === 0;
    });
    foreach ($tests as $test) {
        try {
            $test();
            echo "ok $test\n";
        } catch (Throwable $error) {
            $failed++;
            echo "FAILED $test: {$error->getMessage()} ({$error->getFile()}:{$error->getLine()})\n";
        }
    }
    echo count($tests), " tests, $failed failed\n";
    exit($failed || !$tests ? 1 : 0);
}
