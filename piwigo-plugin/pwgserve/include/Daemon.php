<?php
/*
 * Asks the daemon on this machine: signed questions, answers that only the daemon can have given. No secret travels.
 * The daemon's side is pwgserve/plugin.py and http/plugin.py.
 */

namespace Pwgserve;

final class Daemon
{
    private const LABEL = 'pwgserve.plugin.v1';
    private const MAX_ANSWER = 4000000;
    private const MAX_SKEW = 60;

    /** @var Keys */
    private $keys;
    /** @var string */
    private $key;

    public function __construct(Keys $keys)
    {
        $this->keys = $keys;
        $this->key = hash_hmac('sha256', self::LABEL, $keys->markKey, true);
    }

    /**
     * The answer to a question. $seconds: how long it may take.
     * Throws Problem: unreachable, stranger (it does not know us), clock (it would, at another time), busy.
     */
    public function ask(string $name, array $question, float $seconds): array
    {
        $body = (string) json_encode((object) $question);
        $time = (string) time();
        $nonce = bin2hex(random_bytes(16));
        $headers = array(
            'Content-Type: application/json',
            "X-Pwgserve-Time: $time",
            "X-Pwgserve-Nonce: $nonce",
            'X-Pwgserve-Signature: ' . $this->sign(array('ask', $name, $time, $nonce, hash('sha256', $body))),
        );
        list($status, $found, $answer) = $this->post("/-/plugin/$name", $headers, $body, $seconds);
        if ($status === 503) {
            throw new Problem('busy');
        }
        if ($status !== 200) {
            $there = isset($found['date']) ? strtotime($found['date']) : false;
            throw new Problem($there !== false && abs($there - time()) > self::MAX_SKEW ? 'clock' : 'stranger');
        }
        $proof = $this->sign(array('answer', $name, $nonce, hash('sha256', $answer)));
        $values = json_decode($answer, true);
        if (!isset($found['x-pwgserve-proof']) || !hash_equals($proof, $found['x-pwgserve-proof']) || !is_array($values)) {
            throw new Problem('stranger');
        }
        return $values;
    }

    private function sign(array $lines): string
    {
        return hash_hmac('sha256', implode("\n", $lines), $this->key);
    }

    private function post(string $path, array $headers, string $body, float $seconds): array
    {
        $deadline = microtime(true) + $seconds;
        $stream = @stream_socket_client($this->target(), $number, $message, $seconds);
        if ($stream === false) {
            throw new Problem('unreachable');
        }
        array_push($headers, 'Host: localhost', 'Connection: close', 'Content-Length: ' . strlen($body));
        fwrite($stream, "POST $path HTTP/1.1\r\n" . implode("\r\n", $headers) . "\r\n\r\n" . $body);
        $answer = '';
        while (!feof($stream) && strlen($answer) < self::MAX_ANSWER) {
            $left = $deadline - microtime(true);
            if ($left <= 0) {
                fclose($stream);
                throw new Problem('unreachable');
            }
            stream_set_timeout($stream, (int) $left, (int) (fmod($left, 1) * 1e6));
            $piece = fread($stream, 65536);
            if ($piece === false) {
                break;
            }
            $answer .= $piece;
        }
        fclose($stream);
        return self::parsed($answer);
    }

    private function target(): string
    {
        $address = $this->keys->address;
        if (strpos($address, 'unix:') === 0) {
            return 'unix://' . substr($address, strlen('unix:'));
        }
        // What listens everywhere also listens here.
        return 'tcp://' . str_replace(array('0.0.0.0:', '[::]:'), array('127.0.0.1:', '[::1]:'), $address);
    }

    private static function parsed(string $answer): array
    {
        $parts = explode("\r\n\r\n", $answer, 2);
        $lines = explode("\r\n", $parts[0]);
        if (count($parts) < 2 || !preg_match('#^HTTP/1\.[01] ([0-9]{3})\b#', $lines[0], $match)) {
            throw new Problem('unreachable');
        }
        $headers = array();
        foreach (array_slice($lines, 1) as $line) {
            $pair = explode(':', $line, 2);
            $headers[strtolower($pair[0])] = isset($pair[1]) ? trim($pair[1]) : '';
        }
        return array((int) $match[1], $headers, $parts[1]);
    }
}
