<?php
/*
 * What the administration's page shows, as values: the template writes it. Asks the daemon, changes nothing but on demand.
 */

namespace Pwgserve;

final class Administration
{
    private const SECONDS = 3.0;
    private const LOOKED_AT = 50;

    /** @var Plugin */
    private $plugin;
    /** @var State */
    private $state;

    public function __construct(Plugin $plugin)
    {
        $this->plugin = $plugin;
    }

    /** What is wrong (a name that the language files explain), empty when links are signed. */
    public function problem(): string
    {
        try {
            $this->state = State::asked($this->plugin->keys(), self::SECONDS);
            return $this->state->problem();
        } catch (Problem $problem) {
            return $problem->getMessage();
        }
    }

    /** Rows of array(name, state: ok, bad or unknown). */
    public function checks(string $problem): array
    {
        $isReached = !in_array($problem, array('no_keys', 'keys_unreadable', 'keys_damaged', 'unreachable'), true);
        $isKnown = $isReached && !in_array($problem, array('stranger', 'clock', 'busy'), true);
        $checks = array(
            array('name' => 'reachable', 'state' => $isReached ? 'ok' : 'bad'),
            array('name' => 'clock', 'state' => $problem === 'clock' ? 'bad' : ($isKnown ? 'ok' : 'unknown')),
            array('name' => 'keys', 'state' => $isKnown ? ($problem === 'key_unknown' ? 'bad' : 'ok') : 'unknown'),
        );
        $agreed = $problem === '' ? $this->agreed() : null;
        $checks[] = array('name' => 'links', 'state' => $agreed === null ? 'unknown' : ($agreed ? 'ok' : 'bad'));
        $isNewest = $problem === '' && $this->state->text('standing') === 'newest';
        $checks[] = array('name' => 'newest', 'state' => $problem === '' ? ($isNewest ? 'ok' : 'bad') : 'unknown');
        return $checks;
    }

    /** The daemon's own numbers: array of name => text. */
    public function figures(): array
    {
        $cache = $this->state->all('cache');
        $responses = $this->state->all('responses');
        $renderings = $this->state->all('renderings');
        $count = isset($renderings['count']) ? (int) $renderings['count'] : 0;
        $hits = isset($responses['hit']) ? (int) $responses['hit'] : 0;
        $rendered = isset($responses['render']) ? (int) $responses['render'] : 0;
        $share = $hits + $rendered > 0 ? round(100 * $hits / ($hits + $rendered)) . ' %' : '-';
        return array(
            'version' => $this->state->text('version'),
            'cache' => self::megabytes($cache, 'bytes') . ' / ' . self::megabytes($cache, 'max_bytes'),
            'files' => isset($cache['files']) ? (string) (int) $cache['files'] : '-',
            'hits' => $share,
            'renderings' => (string) $count,
            'average' => $count > 0 ? round(1000 * (float) $renderings['seconds'] / $count) . ' ms' : '-',
            'protections' => $this->state->text('protections'),
        );
    }

    /** The folder of signed links, below Piwigo's. */
    public function prefix(): string
    {
        return $this->state !== null && $this->state->text('prefix') !== '' ? $this->state->text('prefix') : 'pwgs';
    }

    /**
     * What goes into the web server's configuration: array(server => text). Empty when that server sends the files
     * itself: it needs more than can be known here, and `pwgserve init` has written it.
     */
    public function webServer(): array
    {
        global $conf;
        if ($this->state === null || $this->state->text('send_file') !== 'direct') {
            return array();
        }
        $base = (string) parse_url(get_absolute_root_url(), PHP_URL_PATH);
        $folders = array(
            (isset($conf['data_location']) ? $conf['data_location'] : '_data/') . '/i',
            isset($conf['upload_dir']) ? $conf['upload_dir'] : 'upload',
            'galleries',
            $this->prefix(),
        );
        $address = $this->plugin->keys()->address;
        $pattern = 'i(?:\.php|/|$)|action\.php|' . implode('|', array_map(function (string $folder) {
            return preg_quote(trim(preg_replace('#/+#', '/', $folder), './')) . '/';
        }, $folders));
        $nginx = strpos($address, 'unix:') === 0 ? "http://$address:" : "http://$address";
        $apache = strpos($address, 'unix:') === 0 ? "$address|http://localhost" : "http://$address";
        return array(
            'nginx' => "location ~ ^$base($pattern) {\n    proxy_pass $nginx;\n    proxy_set_header Host \$http_host;\n"
                . "    proxy_set_header X-Forwarded-For \$remote_addr;\n"
                . "    proxy_set_header X-Forwarded-Proto \$scheme;\n    proxy_set_header X-Remote-User \"\";\n}",
            'Apache' => "ProxyPreserveHost On\nRequestHeader unset X-Remote-User\n"
                . "ProxyPassMatch ^($base(?:$pattern).*)$ $apache\$1",
        );
    }

    /** Whether the daemon would have written what we write; null when there is no picture to try it with. */
    private function agreed(): ?bool
    {
        global $user;
        $signing = $this->plugin->signing($this->state);
        $reader = new Reader((int) $user['id'], array(Viewer::MESSAGE, 'check'), true);
        $result = pwg_query('SELECT * FROM ' . IMAGES_TABLE . ' ORDER BY id DESC LIMIT ' . self::LOOKED_AT);
        $types = \ImageStdParams::get_defined_type_map();
        while ($row = pwg_db_fetch_assoc($result)) {
            $source = new \SrcImage($row);
            if ($source->is_mimetype() || !$source->is_original()) {
                continue;
            }
            $path = preg_replace('#^\./#', '', $source->rel_path);
            $address = $signing->derivative((int) $row['id'], reset($types), $path, false, $reader);
            if ($address === null) {
                continue;
            }
            try {
                $token = pathinfo(basename($address), PATHINFO_FILENAME);
                $answer = (new Daemon($this->plugin->keys()))->ask('check', array('token' => $token), self::SECONDS);
            } catch (Problem $problem) {
                return null;
            }
            return !empty($answer['signature']) && !empty($answer['fingerprint']);
        }
        return null;
    }

    private static function megabytes(array $values, string $name): string
    {
        $bytes = isset($values[$name]) ? (float) $values[$name] : 0.0;
        return $bytes >= 1e9 ? round($bytes / 1e9, 1) . ' GB' : round($bytes / 1e6, 1) . ' MB';
    }
}
