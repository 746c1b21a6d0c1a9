<?php
/*
 * The rows of photos that links are made from, and whether a guest may see them. One question for all photos of a page.
 * The rules are Piwigo's (docs/compatibility.md, "Permissions"); the daemon asks them again at every request.
 */

namespace Pwgserve;

final class Photos
{
    /** @var array id => row, or null for what does not exist */
    private $rows = array();
    /** @var array ids that will be wanted */
    private $expected = array();

    /** Photos that a page is going to show: they are read together when the first of them is wanted. */
    public function expect(array $ids): void
    {
        foreach ($ids as $id) {
            if ((int) $id > 0 && !array_key_exists((int) $id, $this->rows)) {
                $this->expected[(int) $id] = true;
            }
        }
    }

    /** The row of a photo with `guest_album`, `guest_level` and `guest_high`; null when there is none. */
    public function get(int $id): ?array
    {
        if (!array_key_exists($id, $this->rows)) {
            $this->expected[$id] = true;
            $this->read(array_keys($this->expected));
            $this->expected = array();
        }
        return $this->rows[$id];
    }

    /** Whether everybody may see the photo. $isOpen: whether guests may enter the gallery at all. */
    public static function isPublic(array $row, bool $isOpen): bool
    {
        return $isOpen && $row['guest_level'] !== null && $row['guest_album'] > 0
            && (int) $row['level'] <= (int) $row['guest_level'];
    }

    private function read(array $ids): void
    {
        global $conf;
        $this->rows += array_fill_keys($ids, null);
        $guest = (int) $conf['guest_id'];
        $query = 'SELECT i.id, i.path, i.level, i.rotation, i.coi, i.width, i.height, i.representative_ext,'
            . ' (SELECT level FROM ' . USER_INFOS_TABLE . " WHERE user_id = $guest) AS guest_level,"
            . ' (SELECT enabled_high FROM ' . USER_INFOS_TABLE . " WHERE user_id = $guest) AS guest_high,"
            . ' (SELECT COUNT(*) FROM ' . IMAGE_CATEGORY_TABLE . ' AS ic JOIN ' . CATEGORIES_TABLE . ' AS c'
            . " ON c.id = ic.category_id WHERE ic.image_id = i.id AND c.visible = 'true' AND (c.status = 'public'"
            . ' OR EXISTS (SELECT 1 FROM ' . USER_ACCESS_TABLE . " AS ua WHERE ua.user_id = $guest AND ua.cat_id = c.id)"
            . ' OR EXISTS (SELECT 1 FROM ' . USER_GROUP_TABLE . ' AS ug JOIN ' . GROUP_ACCESS_TABLE . ' AS ga'
            . " ON ga.group_id = ug.group_id WHERE ug.user_id = $guest AND ga.cat_id = c.id))) AS guest_album"
            . ' FROM ' . IMAGES_TABLE . ' AS i WHERE i.id IN (' . implode(',', array_map('intval', $ids)) . ')';
        $result = pwg_query($query);
        while ($row = pwg_db_fetch_assoc($result)) {
            $this->rows[(int) $row['id']] = $row;
        }
    }
}
