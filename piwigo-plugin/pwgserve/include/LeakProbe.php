<?php
/*
 * Tries what a stranger may try, at the gallery's own address and without a cookie: a private photo by every way that
 * Piwigo knows. Nothing secret is sent. That all answers are the same is part of passing.
 */

namespace Pwgserve;

final class LeakProbe
{
    private const SECONDS = 5;
    private const LOOKED_AT = 500;

    /** @var Photos */
    private $photos;
    /** @var string the gallery's address with a slash at the end */
    private $base;
    /** @var string the folder of signed links */
    private $prefix;

    public function __construct(Photos $photos, string $base, string $prefix)
    {
        $this->photos = $photos;
        $this->base = $base;
        $this->prefix = $prefix;
    }

    /**
     * What was tried: rows of array(name, what the answer was, whether that is right). Names and answers are explained
     * in the language files. Empty when the gallery has no private picture to try. Throws Problem when PHP cannot reach
     * the gallery by its own address.
     */
    public function run(): array
    {
        list($private, $public) = $this->chosen();
        if ($private === null) {
            return array();
        }
        $stranger = $this->get('upload/' . bin2hex(random_bytes(8)) . '-me.jpg');
        if ($stranger[0] === 0) {
            throw new Problem('no_way_out');
        }
        $results = array();
        foreach ($this->attempts($private) as $name => $path) {
            $answer = $this->get($path);
            $isNo = $answer[0] === 404 && $answer[1] === $stranger[1];
            $results[] = array('name' => $name, 'status' => $answer[0], 'is_right' => $isNo);
        }
        if ($public !== null) {
            $answer = $this->get($this->attempts($public)['derivative']);
            $results[] = array('name' => 'control', 'status' => $answer[0], 'is_right' => $answer[0] === 302);
        }
        return $results;
    }

    /** Ways to a photo, below the gallery's address. */
    private function attempts(array $row): array
    {
        global $conf;
        $data = trim(isset($conf['data_location']) ? $conf['data_location'] : '_data/', './');
        $path = strpos($row['path'], './') === 0 ? substr($row['path'], 2) : $row['path'];
        $path = implode('/', array_map('rawurlencode', explode('/', $path)));
        $dot = (int) strrpos($path, '.');
        $derivative = substr($path, 0, $dot) . '-me' . substr($path, $dot);
        return array(
            'derivative' => "i.php?/$derivative",
            'path_info' => "i/$derivative",
            'finished' => "$data/i/$derivative",
            'original' => $path,
            'action' => "action.php?id={$row['id']}&part=e",
            'download' => "action.php?id={$row['id']}&part=e&download",
            'forged' => "{$this->prefix}/{$row['id']}.me.p." . (time() + 600) . '.' . str_repeat('A', 16) . '.' . str_repeat('A', 43) . '.jpg',
        );
    }

    /** The newest picture that guests may not see, and the newest that they may: rows, or null. */
    private function chosen(): array
    {
        global $conf;
        $result = pwg_query('SELECT id FROM ' . IMAGES_TABLE . ' ORDER BY id DESC LIMIT ' . self::LOOKED_AT);
        $ids = array();
        while ($row = pwg_db_fetch_assoc($result)) {
            $ids[] = (int) $row['id'];
        }
        $this->photos->expect($ids);
        $private = null;
        $public = null;
        foreach ($ids as $id) {
            $row = $this->photos->get($id);
            if ($row === null || !in_array(strtolower(pathinfo($row['path'], PATHINFO_EXTENSION)), $conf['picture_ext'], true)) {
                continue;
            }
            $isPublic = Photos::isPublic($row, true);
            $private = $private === null && !$isPublic ? $row : $private;
            $isShown = $isPublic && !empty($conf['guest_access']) && empty($conf['gallery_locked']);
            $public = $public === null && $isShown ? $row : $public;
        }
        return array($private, $public);
    }

    /** array(status, body); status 0 when nothing answered. */
    private function get(string $path): array
    {
        $options = array('method' => 'GET', 'follow_location' => 0, 'ignore_errors' => true, 'timeout' => self::SECONDS);
        // The certificate may be for the name that visitors use; what is asked is no secret.
        $tls = array('verify_peer' => false, 'verify_peer_name' => false);
        $context = stream_context_create(array('http' => $options, 'ssl' => $tls));
        $stream = @fopen($this->base . $path, 'rb', false, $context);
        if ($stream === false) {
            return array(0, '');
        }
        $headers = stream_get_meta_data($stream)['wrapper_data'];
        $body = (string) stream_get_contents($stream, 10000);
        fclose($stream);
        return preg_match('#^HTTP/\S+ ([0-9]{3})#', (string) $headers[0], $match) ? array((int) $match[1], $body) : array(0, '');
    }
}
