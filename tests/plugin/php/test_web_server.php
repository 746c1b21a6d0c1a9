<?php
// The lines for web servers on the administration's page lead every address of pictures to the daemon, and no other.

require __DIR__ . '/harness.php';
foreach (array('Administration', 'Keys', 'Photos', 'Plugin', 'State') as $name) {
    require __DIR__ . "/../../../piwigo-plugin/pwgserve/include/$name.php";
}

use Pwgserve\Administration;
use Pwgserve\Keys;
use Pwgserve\Plugin;
use Pwgserve\State;

function get_absolute_root_url(): string
{
    return 'https://gallery.example.org/photos/';
}

/** What the page shows for a daemon that sends files itself. */
function shown(): array
{
    $root = sys_get_temp_dir() . '/pwgserve-' . bin2hex(random_bytes(8)) . '/';
    mkdir(dirname($root . Keys::FILE), 0700, true);
    $content = array('address' => '127.0.0.1:8280', 'link_key' => str_repeat('a', 64), 'mark_key' => str_repeat('b', 64));
    file_put_contents($root . Keys::FILE, '__halt_compiler();' . json_encode($content));
    $administration = new Administration(new Plugin($root));
    $state = (new ReflectionClass(State::class))->newInstanceWithoutConstructor();
    set($state, 'values', array('send_file' => 'direct', 'prefix' => 'pwgs'));
    set($administration, 'state', $state);
    $texts = $administration->webServer();
    unlink($root . Keys::FILE);
    foreach (array('local/config', 'local', '') as $folder) {
        rmdir($root . $folder);
    }
    return $texts;
}

function set(object $object, string $name, $value): void
{
    $property = new ReflectionProperty($object, $name);
    $property->setAccessible(true);
    $property->setValue($object, $value);
}

function test_every_address_of_pictures_is_led_to_the_daemon_and_no_other(): void
{
    $texts = shown();
    preg_match('/^location ~ (\S+) \{/', $texts['nginx'], $nginx);
    preg_match('/^ProxyPassMatch (\S+) /m', $texts['Apache'], $apache);
    $pictures = array('i.php', 'i.php/upload/1-me.jpg', 'i', 'i/upload/1-me.jpg', '_data/i/upload/1-me.jpg', 'action.php',
        'upload/1.jpg', 'galleries/a/1.jpg', 'pwgs/1.me.p.jpg');
    $others = array('', 'index.php', 'identification.php', 'install.php', 'admin.php', '_data/combined/a.css', 'ws.php');
    foreach (array($nginx[1], $apache[1]) as $pattern) {
        foreach ($pictures as $path) {
            same(1, preg_match("~$pattern~", "/photos/$path"), "$pattern, $path");
        }
        foreach ($others as $path) {
            same(0, preg_match("~$pattern~", "/photos/$path"), "$pattern, $path");
        }
    }
}

run_tests();
