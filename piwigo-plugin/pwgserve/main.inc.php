<?php
/*
Plugin Name: pwgserve
Version: 0.1.0
Description: Pictures through signed links that expire: pages hold them from the start, without a redirect.
Author: the pwgserve authors
Has Settings: webmaster
*/

// Licence: Apache-2.0, see LICENSE. Connects the plugin with Piwigo; what it does is in include/.

defined('PHPWG_ROOT_PATH') or die('Hacking attempt!');

if (basename(__DIR__) === 'pwgserve') {
    define('PWGSERVE_PATH', __DIR__ . '/');

    spl_autoload_register(function ($class) {
        if (strpos($class, 'Pwgserve\\') === 0) {
            $file = PWGSERVE_PATH . 'include/' . substr($class, strlen('Pwgserve\\')) . '.php';
            if (preg_match('/^Pwgserve\\\\[A-Za-z]+$/D', $class) && is_file($file)) {
                require $file;
            }
        }
    });

    global $pwgserve;
    // Not by the working directory: PHP may have left it when the last of a page is written.
    $pwgserve = new Pwgserve\Plugin(rtrim((string) realpath(PHPWG_ROOT_PATH), '/') . '/');
    add_event_handler('init', array($pwgserve, 'start'));
}
